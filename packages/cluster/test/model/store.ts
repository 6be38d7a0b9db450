import { type Random, randomBool } from "@canopy/base";
import type { Version } from "@canopy/control";
import {
  type NotTaken,
  OFFSETS_PER_EPOCH,
  type PublishBatch,
  type ShardPeer,
  STORED_BEFORE,
} from "@canopy/store";
import type { Disk, Message } from "./disk.ts";
import { messagesOf, recordsOf } from "./record.ts";
import type { Channel } from "./wire.ts";

const FAILED = 0x80;

/** How the model's store processes behave, and how they may be made to misbehave. */
export interface StoreBehaviour {
  readonly random: Random;
  /** Of appends, that fail. */
  failures: number;
}

interface Link {
  readonly gateway: number;
  readonly peer: ShardPeer;
  known: Version;
  isInterested: boolean;
  sent: number;
  acknowledged: number;
}

interface Sender {
  epoch: number;
  next: number;
  isStopped: boolean;
}

interface Entry {
  readonly batch: PublishBatch;
  readonly messages: readonly Message[];
  readonly sender: Sender;
  /** Links that existed when it came: others get nothing of it. */
  readonly links: ReadonlySet<Link>;
  isStored: boolean;
  waitsFor: { link: Link; number: number }[];
}

interface Owned {
  /** 0: somebody else's. */
  epoch: number;
  version: Version;
  isReady: boolean;
  readonly senders: Map<number, Sender>;
  waiting: { batch: PublishBatch }[];
  entries: Entry[];
}

/** A store process, as far as batches and pushes go: the rules of the port, without queues. */
export class ModelStore {
  readonly incarnation: number;
  readonly #disks: readonly Disk[];
  readonly #behaviour: StoreBehaviour;
  readonly #backend: Channel;
  readonly #owned = new Map<number, Owned>();
  /** By shard: the highest epoch that it has ever owned it under. */
  readonly #highest: number[] = [];
  readonly #links = new Map<number, Link>();
  /** Live gateways, as its view says. */
  gateways: readonly number[] = [];
  /** Violations of the port by a gateway. */
  readonly complaints: string[];

  constructor(
    incarnation: number,
    disks: readonly Disk[],
    behaviour: StoreBehaviour,
    backend: Channel,
    complaints: string[],
  ) {
    this.incarnation = incarnation;
    this.#disks = disks;
    this.#behaviour = behaviour;
    this.#backend = backend;
    this.complaints = complaints;
  }

  // --- the view ---------------------------------------------------------------------------------

  own(shard: number, epoch: number, version: Version): void {
    this.lose(shard);
    const owned = this.#ownedOrNot(shard);
    Object.assign(owned, { epoch, version });
    this.#highest[shard] = epoch;
    this.#open();
  }

  lose(shard: number): void {
    const owned = this.#owned.get(shard);
    if (owned === undefined) return;
    for (const sender of owned.senders.values()) this.#handBack(owned, sender, "not-owner");
    owned.isReady = false;
    owned.epoch = 0;
    const isOver = ({ batch }: { batch: PublishBatch }): boolean => {
      const epoch = owned.senders.get(batch.gateway)?.epoch ?? 0;
      return epoch <= (this.#highest[shard] ?? 0);
    };
    const over = owned.waiting.filter(isOver);
    owned.waiting = owned.waiting.filter((one) => !isOver(one));
    for (const { batch } of over) this.#decline(batch, "not-owner");
  }

  // --- gateways ---------------------------------------------------------------------------------

  register(gateway: number, peer: ShardPeer): void {
    this.#links.set(gateway, {
      gateway,
      peer,
      known: 0,
      // what it was interested in stays until it has said all anew
      isInterested: this.#links.get(gateway)?.isInterested ?? false,
      sent: 0,
      acknowledged: 0,
    });
    for (const owned of this.#owned.values()) {
      // what this gateway was told over the earlier attachment is not known, and what it gave comes again
      owned.waiting = owned.waiting.filter(({ batch }) => batch.gateway !== gateway);
      for (const [sender, state] of owned.senders) {
        if (sender !== gateway) state.isStopped = true;
        this.#handBack(owned, state, sender === gateway ? undefined : "after-error");
      }
    }
  }

  interested(gateway: number): number[] {
    const link = this.#links.get(gateway);
    if (link !== undefined) link.isInterested = true;
    return this.#disks.map((_, shard) => (this.#owned.get(shard)?.epoch ?? 0) * OFFSETS_PER_EPOCH);
  }

  known(gateway: number, version: Version): void {
    const link = this.#links.get(gateway);
    if (link !== undefined) link.known = Math.max(link.known, version);
    this.#open();
  }

  acknowledged(gateway: number, number: number): void {
    const link = this.#links.get(gateway);
    if (link === undefined) return;
    if (number > link.sent) this.complaints.push("acknowledged what was never sent");
    link.acknowledged = Math.max(link.acknowledged, number);
    for (const owned of this.#owned.values())
      for (const entry of owned.entries) this.#answer(entry);
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    const owned = this.#ownedOrNot(shard);
    let sender = owned.senders.get(gateway);
    if (sender === undefined) {
      sender = { epoch, next: seq, isStopped: false };
      owned.senders.set(gateway, sender);
    }
    this.#handBack(owned, sender, "not-owner");
    const waiting = owned.waiting.filter(({ batch }) => batch.gateway === gateway);
    owned.waiting = owned.waiting.filter(({ batch }) => batch.gateway !== gateway);
    for (const { batch } of waiting) this.#decline(batch, "not-owner");
    sender.epoch = epoch;
    sender.next = seq;
    sender.isStopped = false;
  }

  publish(batch: PublishBatch): void {
    const owned = this.#ownedOrNot(batch.shard);
    const sender = owned.senders.get(batch.gateway);
    if (sender === undefined) {
      this.complaints.push("a batch without a resume");
      return;
    }
    const isAhead = sender.epoch > (this.#highest[batch.shard] ?? 0);
    if (isAhead || (sender.epoch === owned.epoch && !owned.isReady)) {
      owned.waiting.push({ batch });
    } else if (sender.epoch !== owned.epoch) {
      this.#decline(batch, "not-owner");
    } else {
      this.#take(owned, sender, batch);
    }
  }

  // --- inside -----------------------------------------------------------------------------------

  #ownedOrNot(shard: number): Owned {
    let owned = this.#owned.get(shard);
    if (owned === undefined) {
      owned = {
        epoch: 0,
        version: 0,
        isReady: false,
        senders: new Map(),
        waiting: [],
        entries: [],
      };
      this.#owned.set(shard, owned);
    }
    return owned;
  }

  /** Shards that every live gateway knows to be this process's begin. */
  #open(): void {
    for (const [shard, owned] of this.#owned) {
      const { epoch, version, isReady } = owned;
      if (isReady || epoch === 0) continue;
      if (!this.gateways.every((one) => (this.#links.get(one)?.known ?? 0) >= version)) continue;
      const disk = this.#disks[shard] as Disk;
      if (disk.epoch > epoch) continue;
      disk.epoch = epoch;
      owned.isReady = true;
      for (const { batch } of owned.waiting.splice(0)) this.publish(batch);
    }
  }

  #take(owned: Owned, sender: Sender, batch: PublishBatch): void {
    if (sender.isStopped) return this.#decline(batch, "after-error");
    if (batch.seq !== sender.next) {
      this.complaints.push(`batch ${batch.seq} came instead of ${sender.next}`);
      return this.#decline(batch, "gap");
    }
    sender.next++;
    const links = new Set(this.#links.values());
    const all = messagesOf(batch);
    this.#push(
      owned.epoch,
      batch,
      all.filter(({ qos }) => qos === 0),
      0,
      links,
    );
    const messages = all.filter(({ qos }) => qos !== 0);
    const entry: Entry = {
      batch,
      messages,
      sender,
      links,
      isStored: false,
      waitsFor: [],
    };
    owned.entries.push(entry);
    this.#backend.send(() => this.#append(owned, entry));
  }

  #append(owned: Owned, entry: Entry): void {
    if (!owned.entries.includes(entry)) return;
    const { sender, batch } = entry;
    if (randomBool(this.#behaviour.random, this.#behaviour.failures))
      return this.#fail(owned, entry);
    const wasStored = this.#write(owned, entry);
    if (wasStored === undefined) return this.#handBack(owned, sender, "not-owner");
    entry.isStored = true;
    const offset = wasStored ? STORED_BEFORE : owned.epoch * OFFSETS_PER_EPOCH + 1;
    const pushed = wasStored ? entry.messages : entry.messages.filter(({ isLeft }) => !isLeft);
    entry.waitsFor = this.#push(owned.epoch, batch, pushed, offset, entry.links);
    this.#answer(entry);
  }

  /** Nothing behind it is stored before its gateway has heard of it. */
  #fail(owned: Owned, entry: Entry): void {
    const { sender, batch, messages } = entry;
    sender.isStopped = true;
    this.#drop(entry);
    for (const other of owned.entries) {
      if (other.sender !== sender || other.isStored) continue;
      this.#drop(other);
      this.#decline(other.batch, "after-error");
    }
    for (const { index } of messages) {
      this.#peer(batch)?.answered(batch, index, FAILED, owned.epoch);
    }
    this.#peer(batch)?.released(batch);
  }

  /** What of a gateway is under way is not answered; what the backend has begun ends nevertheless. */
  #handBack(owned: Owned, sender: Sender, reason: NotTaken | undefined): void {
    const entries = owned.entries.filter((entry) => entry.sender === sender);
    for (const entry of entries) this.#drop(entry);
    for (const entry of entries) {
      if (entry.isStored) continue;
      if (randomBool(this.#behaviour.random, 0.5)) break;
      this.#write(owned, entry);
    }
    if (reason === undefined) return;
    for (const { batch } of entries) this.#decline(batch, reason);
  }

  /** Whether it was there already; undefined for who may not write. */
  #write({ epoch }: Owned, { batch, messages }: Entry): boolean | undefined {
    const disk = this.#disks[batch.shard] as Disk;
    if (disk.epoch !== epoch) return undefined;
    if (batch.seq <= (disk.seqs.get(batch.gateway) ?? 0)) return true;
    const news = messages.filter(
      ({ id, receipt, isLeft }) => !isLeft && (!receipt || !disk.receipts.has(id)),
    );
    disk.append(epoch, batch.gateway, batch.seq, news);
    return false;
  }

  #push(
    epoch: number,
    { shard, gateway, seq }: PublishBatch,
    messages: readonly Message[],
    offset: number,
    links: ReadonlySet<Link>,
  ): { link: Link; number: number }[] {
    const sent: { link: Link; number: number }[] = [];
    if (messages.length === 0) return sent;
    // the records of their own: the batch's may be used again
    const count = 1 + Math.max(...messages.map(({ index }) => index));
    const all = Array.from({ length: count }, () => ({ id: 0, qos: 0 }));
    for (const { index, id, qos } of messages) all[index] = { id, qos };
    const indexes = messages.map(({ index }) => index);
    const offsets = messages.map(() => offset);
    const records = recordsOf(all);
    for (const link of this.#links.values()) {
      if (!link.isInterested || !links.has(link)) continue;
      const number = ++link.sent;
      link.peer.push({ number, shard, epoch, gateway, seq, records, indexes, offsets });
      sent.push({ link, number });
    }
    return sent;
  }

  #answer(entry: Entry): void {
    const { batch, isStored, messages, waitsFor } = entry;
    if (!isStored) return;
    if (waitsFor.some(({ link, number }) => link.acknowledged < number)) return;
    this.#drop(entry);
    const epoch = this.#owned.get(batch.shard)?.epoch ?? 0;
    for (const { index } of messages) this.#peer(batch)?.answered(batch, index, 0, epoch);
    this.#peer(batch)?.released(batch);
  }

  #decline(batch: PublishBatch, reason: NotTaken): void {
    this.#peer(batch)?.notTaken(batch, reason);
  }

  #drop(entry: Entry): void {
    const owned = this.#owned.get(entry.batch.shard);
    if (owned !== undefined) owned.entries = owned.entries.filter((other) => other !== entry);
  }

  #peer({ gateway }: PublishBatch): ShardPeer | undefined {
    return this.#links.get(gateway)?.peer;
  }
}
