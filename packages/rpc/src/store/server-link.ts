/** The store process's end of a link. */
import type { Logger } from "@canopy/base";
import {
  type Dispatch,
  type InterestChange,
  type NotTaken,
  type Offset,
  type PublishBatch,
  type Push,
  type ShardPeer,
  type Shards,
} from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import { asStoreError, RpcError } from "../errors.ts";
import { isTyped } from "../status.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { Answers } from "./answers.ts";
import { costOf, ReceivedBatch, TO_STORE } from "./batch.ts";
import { DISPATCH_LIMIT, QOS0_WINDOW } from "./limits.ts";
import { Outgoing } from "./outgoing.ts";
import { WordsReader, type WordsSink } from "./words.ts";

/** What a batch may hold of memory is at most so many times what it is long. */
const PINNED = 4;

export interface ServerLinkOptions {
  readonly shards: Shards;
  readonly topics: TopicTable;
  readonly logger: Logger;
  /** Messages of QoS 0 that were dropped on their way to the gateway. */
  readonly dropped: (messages: number) => void;
  /** A gateway registers here: it is not registered over another link any more. */
  readonly registered: (gateway: number, link: ServerLink) => void;
  /** The link has ended, or its gateway has; true where it was registered here and nowhere since. */
  readonly unregistered: (gateway: number, link: ServerLink) => boolean;
  readonly ended: (link: ServerLink) => void;
}

export class ServerLink implements WordsSink {
  readonly #options: ServerLinkOptions;
  readonly #answers = new Answers();
  readonly #words: WordsReader;
  #publish: RpcStream | undefined;
  #pushes: RpcStream | undefined;
  #outgoing: Outgoing | undefined;
  /** In bytes, by the gateway's word. */
  #window = 0;
  #attachment: Attachment | undefined;
  /** How often somebody has registered. */
  #attachments = 0;
  #isScheduled = false;
  #isEnded = false;

  constructor(options: ServerLinkOptions) {
    this.#options = options;
    this.#words = new WordsReader(this);
  }

  // --- its two streams --------------------------------------------------------------------------

  /** @throws where it has one. */
  openPublish(stream: RpcStream, window: number): StreamHandler {
    requireFirst(this.#publish);
    this.#publish = stream;
    this.#window = window;
    return {
      onMessage: (message, number) => {
        this.#onMessage(message);
        stream.acknowledge(number);
      },
      onClosed: () => this.end(),
    };
  }

  /** @throws where it has one. */
  openPushes(stream: RpcStream): StreamHandler {
    requireFirst(this.#pushes);
    this.#pushes = stream;
    const outgoing = new Outgoing({
      stream,
      unacknowledgedLimit: QOS0_WINDOW,
      dispatchLimit: DISPATCH_LIMIT,
      dropped: this.#options.dropped,
      acknowledged: (number) => {
        if (this.gateway !== 0) this.#options.shards.acknowledged(this.gateway, number);
      },
    });
    this.#outgoing = outgoing;
    return {
      onMessage: () => {
        throw new RpcError("internal", "nothing is to be said on this stream");
      },
      onAcknowledged: (number) => outgoing.onAcknowledged(number),
      onReady: () => outgoing.onReady(),
      onClosed: () => this.end(),
    };
  }

  /** Both streams end. Idempotent. */
  end(error: Error = new RpcError("unavailable", "the other stream of the link has ended")): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.unregister();
    this.#publish?.close(error);
    this.#pushes?.close(error);
    this.#options.ended(this);
  }

  /** For what can't be thrown to a stream. */
  fail(error: unknown): void {
    if (!isTyped(error))
      this.#options.logger.error({ error, gateway: this.gateway }, "a link failed");
    this.end(error instanceof Error ? error : new Error(String(error)));
  }

  #onMessage(message: Buffer): void {
    if (message[0] === TO_STORE.words) this.#words.read(message);
    else if (message[0] === TO_STORE.batch) this.#batch(message);
    else throw new RpcError("internal", `no such message: ${message[0]}`);
  }

  #batch(message: Buffer): void {
    const attachment = this.#attachment;
    if (attachment === undefined) throw new RpcError("internal", "nobody has registered");
    // It may stay long, and with it the whole frame that it came in.
    const isSmall = message.length * PINNED < message.buffer.byteLength;
    const own = isSmall ? Buffer.from(message) : message;
    const batch = new ReceivedBatch(own, attachment.gateway, this.topics);
    attachment.take(batch, this.#window);
    this.#options.shards.publish(batch);
  }

  // --- what the gateway says --------------------------------------------------------------------

  get topics(): TopicTable {
    return this.#options.topics;
  }

  get gateway(): number {
    return this.#attachment?.gateway ?? 0;
  }

  register(gateway: number): void {
    if (gateway === 0 || this.#outgoing === undefined) {
      throw new RpcError("internal", "nobody can register here");
    }
    const before = this.#attachment;
    if (before !== undefined && before.gateway !== gateway) this.unregister();
    if (this.#attachment !== undefined) this.#attachment.isOver = true;
    const attachment = new Attachment(gateway, this, this.#answers, this.#outgoing);
    this.#attachment = attachment;
    this.#options.registered(gateway, this);
    this.#outgoing.attached(++this.#attachments);
    this.#options.shards.register(gateway, attachment);
  }

  unregister(): void {
    const { gateway } = this;
    if (this.#attachment !== undefined) this.#attachment.isOver = true;
    this.#attachment = undefined;
    if (gateway === 0 || !this.#options.unregistered(gateway, this)) return;
    this.#options.shards.unregister(gateway);
  }

  known(gateway: number, version: number): void {
    this.#options.shards.known(gateway, version);
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    this.#options.shards.resume(gateway, shard, epoch, seq);
  }

  join(...[gateway, member]: Parameters<Shards["join"]>): void {
    this.#options.shards.join(gateway, member);
  }

  leave(...[gateway, member, keep, returned]: Parameters<Shards["leave"]>): void {
    this.#options.shards.leave(gateway, member, keep, returned);
  }

  holds(gateway: number, member: number, shard: number, offsets: readonly Offset[]): void {
    this.#options.shards.holds?.(gateway, member, shard, offsets);
  }

  settle(gateway: number, member: number, shard: number, offset: Offset): void {
    this.#options.shards.settle(gateway, member, shard, offset);
  }

  interests(request: number, changes: readonly InterestChange[]): void {
    const { shards } = this.#options;
    this.#answer(request, shards.interests(this.gateway, changes), (heads) =>
      this.#answers.heads(request, heads),
    );
  }

  forget(request: number, shard: number, session: number, key: number): void {
    const { shards } = this.#options;
    this.#answer(
      request,
      called(() => shards.forget(shard, session, key)),
      () => this.#answers.done(request),
    );
  }

  settleDurably(request: number, filter: string, shard: number, offset: Offset): void {
    const { shards } = this.#options;
    this.#answer(
      request,
      called(() => shards.settleDurably(filter, shard, offset)),
      () => this.#answers.done(request),
    );
  }

  #answer<T>(request: number, answer: Promise<T>, say: (value: T) => void): void {
    answer.then(
      (value) => {
        say(value);
        this.schedule();
      },
      (error: unknown) => {
        if (!isTyped(error)) this.#options.logger.error({ error }, "a request of a gateway failed");
        this.#answers.failed(request, asStoreError(error));
        this.schedule();
      },
    );
  }

  /** What was gathered leaves at the end of the turn. */
  schedule(): void {
    if (this.#isScheduled || this.#isEnded) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const message = this.#answers.take();
      if (message === undefined || this.#isEnded) return;
      this.#publish?.sendMark(message);
      this.#publish?.flush();
    });
  }
}

/** A gateway, as long as it is registered over a link. */
class Attachment implements ShardPeer {
  readonly gateway: number;
  /** Another has taken its place, or none: nothing is said of it any more. */
  isOver = false;
  readonly #link: ServerLink;
  readonly #answers: Answers;
  readonly #outgoing: Outgoing;
  /** By shard: of batches that are not released, in bytes. */
  readonly #unreleased: number[] = [];

  constructor(gateway: number, link: ServerLink, answers: Answers, outgoing: Outgoing) {
    this.gateway = gateway;
    this.#link = link;
    this.#answers = answers;
    this.#outgoing = outgoing;
  }

  /** @throws RpcError where the shard has more of the gateway than it may. */
  take({ shard, records }: ReceivedBatch, window: number): void {
    const before = this.#unreleased[shard] ?? 0;
    if (before >= window)
      throw new RpcError("internal", `shard ${shard} was sent more than it takes`);
    this.#unreleased[shard] = before + costOf(records);
  }

  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void {
    if (this.isOver) return;
    this.#answers.answered((batch as ReceivedBatch).id, index, reasonCode, epoch);
    this.#link.schedule();
  }

  released(batch: PublishBatch): void {
    if (this.isOver) return;
    this.#back(batch);
    this.#answers.released((batch as ReceivedBatch).id);
    this.#link.schedule();
  }

  notTaken(batch: PublishBatch, reason: NotTaken): void {
    if (this.isOver) return;
    this.#back(batch);
    this.#answers.notTaken((batch as ReceivedBatch).id, reason);
    this.#link.schedule();
  }

  push(push: Push): void {
    if (!this.isOver) this.#outgoing.push(push);
  }

  dispatch(message: Dispatch): void {
    if (this.isOver) return;
    try {
      this.#outgoing.dispatch(message);
    } catch (error) {
      // The shard that dispatches is in the midst of something.
      setImmediate(() => this.#link.fail(error));
    }
  }

  #back({ shard, records }: PublishBatch): void {
    this.#unreleased[shard] = (this.#unreleased[shard] ?? 0) - costOf(records);
  }
}

function requireFirst(stream: RpcStream | undefined): void {
  if (stream !== undefined) throw new RpcError("internal", "the link has this stream already");
}

/** Also what is thrown at once. */
async function called<T>(call: () => Promise<T>): Promise<T> {
  return call();
}
