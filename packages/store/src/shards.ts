/**
 * The Shards port: what gateways ask of the store service, and what it asks of them. The store
 * service owns shards, matches messages against routes and interests, appends what must be kept,
 * pushes to gateways and answers. See ARCHITECTURE.md, "The path of a PUBLISH".
 *
 * One store process owns some of the shards, each under an epoch that the control plane gave it. A
 * call for a shard that it does not own fails with `not-owner`. Whatever a process says of a shard
 * carries the epoch under which it says so: who knows of a higher one drops it.
 */
import type { Topic } from "@canopy/topic";
import type { Offset, StoredMessage } from "./port.ts";

/**
 * Records (codec) one behind the other. In a batch that is given again some may be taken out (QoS 0,
 * messages of clients that are gone): they are empty ranges, so that the others keep their indexes.
 */
export interface Records {
  /** Only `bytes[0 … length)` is filled. */
  readonly bytes: Buffer;
  readonly length: number;
  readonly count: number;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly topics: readonly Topic[];
}

/** What one gateway publishes to one shard in one turn of its event loop. */
export interface PublishBatch {
  readonly shard: number;
  /** Gateway incarnation. */
  readonly gateway: number;
  /**
   * Number of this batch among the gateway's batches to this shard, from 1, without gaps. One that is
   * given again after {@link Shards.resume} keeps it.
   */
  readonly seq: number;
  /** Belongs to the store service until every message is answered. */
  readonly records: Records;
  /** Per message: incarnation of the durable session that sent it at QoS 2, else 0. */
  readonly receiptSessions: readonly number[];
  /**
   * Per message: its packet identifier where a receipt is wanted. 0 where there is a session: the message
   * was withdrawn, and is in a batch that is given again only to be pushed if that was stored, as its
   * receipt may have answered for it; what is answered to it does not matter.
   */
  readonly receiptKeys: readonly number[];
}

/**
 * The offset in a push of a message that was stored before, by a batch that is given again: below
 * every real one. Who reads a queue finds it there; only transient sessions still need the push.
 */
export const STORED_BEFORE: Offset = 1;

/** Messages for a gateway that has an interest in them. Valid during the call only. */
export interface Push {
  /** Among all pushes and dispatches to this attachment of the gateway, from 1, without gaps. */
  readonly number: number;
  readonly shard: number;
  readonly epoch: number;
  /**
   * The batch that the records came in: incarnation of its gateway, and its number; 0 and 0 for wills.
   * To a gateway that has ever called {@link Shards.resume}, messages of QoS ≥ 1 of one sender leave
   * in the order of (seq, index), so a receiver can drop what it has had for transient sessions.
   */
  readonly gateway: number;
  readonly seq: number;
  readonly records: Records;
  /** Which of the records, ascending. */
  readonly indexes: readonly number[];
  /**
   * Parallel to `indexes`: the stored message's offset, 0 for one that is not stored, or
   * {@link STORED_BEFORE}.
   */
  readonly offsets: readonly Offset[];
  /**
   * Transient sessions, and QoS 0, have had these already, when they were not stored: only readers of
   * durable sessions need them. Never said by a store process itself.
   */
  readonly readersOnly?: boolean;
}

/** One message for one member of a shared subscription. Valid during the call only. */
export interface Dispatch {
  /** As {@link Push.number}. */
  readonly number: number;
  /** The member's number, given by its gateway. */
  readonly member: number;
  readonly shard: number;
  readonly epoch: number;
  /** 0 for a message that is not stored. */
  readonly offset: Offset;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly topic: Topic;
}

/**
 * Pushes that a gateway was not given, as it could not keep up. Nothing of it is lost in silence: before it
 * acknowledges the number, its readers of these shards read anew, and its transient sessions with an
 * interest at QoS ≥ 1 in one of the topics are disconnected (0x97). Of QoS 0 nothing is said.
 */
export interface Missed {
  /** As {@link Push.number}: of the last push that this stands for. */
  readonly number: number;
  readonly shards: readonly MissedShard[];
}

export interface MissedShard {
  readonly shard: number;
  readonly epoch: number;
  /** Of the messages of QoS ≥ 1; undefined: too many to be named, so that any topic of the shard is meant. */
  readonly topics: readonly Topic[] | undefined;
}

/**
 * Why a batch was not taken. In all cases its messages that have no answer may be stored or not, and
 * are given again in a batch of the same number, after {@link Shards.resume}: then both ends well.
 */
export type NotTaken =
  /** This process does not own the shard (any more) under the epoch that was resumed to. */
  | "not-owner"
  /** An earlier batch of this gateway was answered with an error: what follows must not be stored before it. */
  | "after-error"
  /** Its number does not follow that of the last one. */
  | "gap";

/** What the store service asks of a gateway. Calls come in order, per shard. */
export interface ShardPeer {
  /**
   * The answer to one message of a batch: 0x00 (safe), 0x10 (safe, nobody matched), 0x97 (no room),
   * 0x80 (backend failed). Once for every message of QoS ≥ 1, in any order. QoS 0 is not answered.
   * `epoch` is the one under which it was decided; a gateway that knows a higher one drops it.
   */
  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void;
  /** Every message of the batch is answered: its buffers may be used again. */
  released(batch: PublishBatch): void;
  /**
   * Instead of {@link ShardPeer.released}: those of its messages that have no answer get none here.
   * Its buffers may be used again. Never said to a gateway that has not called {@link Shards.resume}.
   */
  notTaken(batch: PublishBatch, reason: NotTaken): void;
  push(push: Push): void;
  dispatch(message: Dispatch): void;
  /** Never said by a store process itself, but by what is between it and the gateway. */
  missed?(missed: Missed): void;
  /**
   * Pushes of this shard may not have come: it has another owner or epoch, or its owner was out of
   * reach. Readers have to read anew. Never said by a store process itself.
   */
  ownerChanged?(shard: number): void;
}

export interface InterestChange {
  /** Without `$share/…/`. */
  readonly filter: string;
  readonly add: boolean;
  /**
   * A transient session is on it at QoS ≥ 1: answers to what matches wait until this gateway has
   * acknowledged the push. An addition is taken back by a change with the same value.
   */
  readonly transient: boolean;
}

export interface ReadRequest {
  readonly shard: number;
  readonly queues: readonly { readonly queue: string; readonly after: Offset }[];
  readonly messages: number;
  readonly bytes: number;
}

export interface ShardReadResult {
  /** Of the owner that answers. */
  readonly epoch: number;
  readonly messages: readonly StoredMessage[];
  readonly upTo: Offset;
  readonly limited: boolean;
}

/**
 * A place in the retained values of a filter, which come by shard and then in the order of their
 * backend. It means the same after a restart, whatever has changed.
 */
export interface RetainedPosition {
  readonly shard: number;
  readonly topic: string;
}

export interface RetainedRequest {
  /** Without `$share/…/`. */
  readonly filter: string;
  /** Only this shard's; undefined: those of all shards, which this process has to own. */
  readonly shard?: number;
  /** Per shard: only values with an offset at most this. */
  readonly upTo: readonly Offset[];
  /** Behind here: a place that a page gave, or that of one of its messages. Undefined at first. */
  readonly after: RetainedPosition | undefined;
  readonly messages: number;
  readonly bytes: number;
}

export interface ShardRetainedPage {
  /** Of the owner that answers, where one shard was asked for; else 0. */
  readonly epoch: number;
  readonly messages: readonly {
    readonly shard: number;
    readonly topic: string;
    readonly offset: Offset;
    readonly body: Uint8Array;
  }[];
  readonly next: RetainedPosition | undefined;
}

/** A connected session on a shared subscription. */
export interface ShareMember {
  /** Unique within the gateway. */
  readonly member: number;
  /** With `$share/…/`; also the name of the group's queue. */
  readonly filter: string;
  /** Its session is durable and granted QoS ≥ 1: the group has a queue and progress. */
  readonly durable: boolean;
  /** Granted QoS. */
  readonly qos: 0 | 1 | 2;
  /** Its client id, for sticky and hash strategies. */
  readonly clientId: string;
  /** How many deliveries of QoS ≥ 1 it may have in flight (its receive maximum). */
  readonly window: number;
}

/** Unstored messages of QoS ≥ 1 that a member has not acknowledged: they go to another. */
export interface Returned {
  readonly filter: string;
  readonly record: Uint8Array;
  readonly topic: Topic;
}

export interface ShardCounts {
  readonly retained: number;
  /** Messages posted to queues now, and their bytes; a message in two queues counts twice. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Messages dropped since the start: by a limit, or because nobody could take them. */
  readonly dropped: number;
  /** Messages that were sent on but not retained, as there was no room. */
  readonly notRetained: number;
  readonly storedMessages: number;
}

export interface Shards {
  readonly shards: number;
  /**
   * Attaches a gateway: its pushes and answers go to this peer from now on. An earlier attachment of
   * the same incarnation ends; its batches are given again. Its interests and members count until the
   * new one has called {@link Shards.known}, behind all that it says anew: no answer is given meanwhile
   * that they would have kept back. A gateway that is down for good is not attached, and nothing that it
   * says has an effect.
   */
  register(gateway: number, peer: ShardPeer): void;
  /** The attachment ends: its interests, members and batches count no more. */
  unregister(gateway: number): void;
  /**
   * The gateway knows the control log up to this version, and has said all its interests before. A
   * shard accepts its first batch when every live gateway knows the change that named its owner.
   */
  known(gateway: number, version: number): void;
  /**
   * Before the first batch to a shard under this epoch, to this process, and after
   * {@link ShardPeer.notTaken}: `seq` is the number of the gateway's first batch with a message that
   * has no answer, or of its next one. Its batches follow from there. Batches that come before this
   * process knows of the epoch wait for that. A gateway in the same process, which ends with it, does
   * without: its batches are never given again.
   */
  resume(gateway: number, shard: number, epoch: number, seq: number): void;
  publish(batch: PublishBatch): void;
  /**
   * Nobody waits for this message any more, and it must not be given to another owner, since its
   * session goes elsewhere. Its answer comes nevertheless: the owner's, or an error as soon as the owner
   * that may have it owns the shard no more. One that may be stored then is given to the next owner to be
   * pushed if it is; see {@link PublishBatch.receiptKeys}. Absent where batches are never given again.
   */
  withdraw?(batch: PublishBatch, index: number): void;
  /** Pushes and dispatches up to this number are with the sessions that they are for. */
  acknowledged(gateway: number, number: number): void;
  /**
   * An ordered stream; settles when in force, with the head of every shard, everything up to it on
   * disk; 0 for a shard that this process does not own. One that is not open yet counts as the start
   * of its epoch.
   */
  interests(gateway: number, changes: readonly InterestChange[]): Promise<readonly Offset[]>;
  /** Answers in the order of the requests; rejects with StoreError. */
  read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]>;
  retained(request: RetainedRequest): Promise<ShardRetainedPage>;
  /** The retained value of a topic, if it still has this offset. */
  retainedAt(shard: number, topic: string, offset: Offset): Promise<Uint8Array | undefined>;
  /** Receipts of a session in these shards, or in all that this process owns. */
  receipts(
    session: number,
    shards?: readonly number[],
  ): Promise<readonly { readonly shard: number; readonly key: number }[]>;
  /** Settles when the receipt's removal is on disk. Batched inside. */
  forget(shard: number, session: number, key: number): Promise<void>;
  /** Members of shared subscriptions come … */
  join(gateway: number, member: ShareMember): void;
  /**
   * … and go. What was dispatched to it and is not settled goes to others, but for `keep`: QoS 2
   * deliveries whose packet identifier is committed [MQTT-4.8.2-5].
   */
  leave(
    gateway: number,
    member: number,
    keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void;
  /**
   * What was dispatched to a member and it has not finished, of stored messages of the shard: by this
   * process over an earlier attachment, or by an earlier owner. Said behind join() and before known() of
   * the change that made this process the owner: dispatching begins with what nobody has.
   */
  holds?(gateway: number, member: number, shard: number, offsets: readonly Offset[]): void;
  /** A dispatched message of QoS ≥ 1 is finished; offset 0 for one that was not stored. */
  settle(gateway: number, member: number, shard: number, offset: Offset): void;
  /**
   * A QoS 2 delivery of a shared subscription is finished: settles when that is on disk, so that the
   * session may free its packet identifier afterwards.
   */
  settleDurably(filter: string, shard: number, offset: Offset): Promise<void>;
  counts(): ShardCounts;
  /** Counts are those of other processes, some time ago: a 0 means nothing. */
  readonly countsLag?: boolean;
}
