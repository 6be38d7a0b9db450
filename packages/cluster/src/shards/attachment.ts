import type { Clock, Logger, Timers } from "@canopy/base";
import type { ReadonlyView, Version, VersionedChange } from "@canopy/control";
import type {
  InterestChange,
  Offset,
  PublishBatch,
  Returned,
  ShardPeer,
  ShareMember,
} from "@canopy/store";
import type { ShardsCounters } from "./counters.ts";
import { Inbound } from "./inbound.ts";
import { Asked, InterestBook } from "./interests.ts";
import { Lane } from "./lane.ts";
import { Members } from "./members.ts";
import type { StoreNodes } from "./nodes.ts";
import { StoreLink } from "./store-link.ts";

export interface AttachmentParts {
  readonly view: ReadonlyView;
  readonly nodes: StoreNodes;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly counters: ShardsCounters;
  readonly waitTimeout: number;
  readonly maxBytes: number;
  readonly callTimeout: number;
}

/** The gateway, attached to every store process that is up and can be reached. */
export class Attachment {
  readonly gateway: number;
  readonly inbound: Inbound;
  readonly #peer: ShardPeer;
  readonly #parts: AttachmentParts;
  readonly #links = new Map<number, StoreLink>();
  readonly #lanes: Lane[] = [];
  readonly #book = new InterestBook();
  readonly #members = new Members();
  /** Calls of interests() that are not settled. */
  readonly #asked = new Set<Asked>();
  /** By shard: the epoch that the gateway's readers know of. */
  readonly #epochs: number[] = [];

  constructor(gateway: number, peer: ShardPeer, parts: AttachmentParts) {
    this.gateway = gateway;
    this.#peer = peer;
    this.#parts = parts;
    this.inbound = new Inbound(parts.view, peer);
    for (const { shard, epoch } of parts.view.places()) this.#epochs[shard] = epoch;
    for (const { incarnation } of parts.view.stores()) this.attach(incarnation);
  }

  /** The gateway says no more, and hears no more. */
  end(): void {
    for (const link of this.#links.values()) {
      link.close();
      link.node.unregister(this.gateway);
    }
    this.#links.clear();
    for (const asked of this.#asked) asked.giveUp();
  }

  // --- store processes --------------------------------------------------------------------------

  /** Nothing is done where it is attached, can't be reached or is not up. */
  attach(store: number): void {
    const { view, nodes } = this.#parts;
    const node = nodes.get(store);
    if (node === undefined || this.#links.has(store) || view.member(store)?.kind !== "store")
      return;
    const { gateway } = this;
    const link = new StoreLink(store, node, gateway, this.inbound, this.#members);
    this.#links.set(store, link);
    node.register(gateway, link);
    this.#say(link, this.#book.all(), [...this.#asked], true);
    for (const member of this.#members.all()) node.join(gateway, member);
    link.sayHeld((shard) => view.place(shard).owner === store);
    node.known(gateway, view.version);
    for (const { shard, owner } of view.places()) if (owner === store) this.lane(shard).begin();
  }

  detached(store: number): void {
    this.#links.get(store)?.close();
    this.#links.delete(store);
    for (const lane of this.#lanes) lane?.detached(store);
  }

  /** In this order: members' messages and interests are behind no known(), so they count with it. */
  viewChanged(changes: readonly VersionedChange[], version: Version): void {
    const moved: number[] = [];
    for (const { change } of changes) {
      if (change.type === "store-down") this.#down(change.incarnation);
      if (change.type === "shard") moved.push(change.place.shard);
    }
    if (changes.some(({ change }) => change.type === "gateway-gone")) this.#forgetSenders();
    for (const { change } of changes) {
      if (change.type === "member-up") this.attach(change.member.incarnation);
    }
    this.#sayMoved(moved);
    for (const shard of moved) this.lane(shard).placeChanged();
    for (const { node } of this.#links.values()) node.known(this.gateway, version);
    for (const shard of moved) this.#readAnew(shard, false);
  }

  tick(): void {
    for (const lane of this.#lanes) lane?.tick();
  }

  // --- what the gateway says --------------------------------------------------------------------

  lane(shard: number): Lane {
    const known = this.#lanes[shard];
    if (known !== undefined) return known;
    const { view, clock, counters, waitTimeout, maxBytes } = this.#parts;
    const lane = new Lane(shard, {
      gateway: this.gateway,
      peer: this.#peer,
      clock,
      counters,
      waitTimeout,
      maxBytes,
      place: () => view.place(shard),
      node: (store) => this.#links.get(store)?.node,
    });
    this.#lanes[shard] = lane;
    lane.begin();
    return lane;
  }

  publish(batch: PublishBatch): void {
    this.lane(batch.shard).publish(batch);
  }

  interests(changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    const { view, timers, callTimeout } = this.#parts;
    const news = this.#book.change(changes);
    const stores = view.stores().map(({ incarnation }) => incarnation);
    const asked = new Asked(stores, () => view.places());
    this.#asked.add(asked);
    asked.timer = timers.set(callTimeout, () => asked.giveUp());
    for (const link of this.#links.values()) this.#say(link, news, [asked], false);
    const forget = (): void => {
      asked.timer?.cancel();
      this.#asked.delete(asked);
    };
    asked.promise.then(forget, forget);
    return asked.promise;
  }

  join(member: ShareMember): void {
    this.#members.join(member);
    for (const { node } of this.#links.values()) node.join(this.gateway, member);
  }

  leave(
    member: number,
    keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void {
    this.#members.leave(member);
    const { view, counters } = this.#parts;
    for (const { store, node } of this.#links.values()) {
      // what is not stored is with one of them only
      const its = returned.filter(({ topic }) => view.place(topic.shard).owner === store);
      node.leave(this.gateway, member, keep, its);
    }
    counters.dropped += returned.filter(({ topic }) => !this.#reaches(topic.shard)).length;
  }

  settle(member: number, shard: number, offset: Offset): void {
    this.#members.settled(member, shard, offset);
    const { owner } = this.#parts.view.place(shard);
    this.#links.get(owner)?.node.settle(this.gateway, member, shard, offset);
  }

  // --- inside -----------------------------------------------------------------------------------

  /** Interests, in their order; `asked`: what waits for this, or for something before it. */
  #say(
    link: StoreLink,
    changes: readonly InterestChange[],
    asked: readonly Asked[],
    isWhole: boolean,
  ): void {
    const { store, node } = link;
    node.interests(this.gateway, changes).then(
      (heads) => {
        if (link.isClosed) return;
        if (isWhole) this.#inForce(link);
        for (const one of asked) one.answered(store, heads);
      },
      (error: unknown) => {
        if (link.isClosed) return;
        const { logger, nodes } = this.#parts;
        logger.warn({ err: error, store }, "a store process has not taken interests");
        nodes.reset(store);
      },
    );
  }

  /** What was stored before was not pushed, perhaps; what is stored from here on is. */
  #inForce(link: StoreLink): void {
    link.isInForce = true;
    const { view } = this.#parts;
    for (const { shard, owner } of view.places()) {
      if (owner === link.store) this.#readAnew(shard, true);
    }
  }

  #readAnew(shard: number, isAttached: boolean): void {
    const { owner, epoch } = this.#parts.view.place(shard);
    if (this.#links.get(owner)?.isInForce !== true) return;
    if (!isAttached && epoch === this.#epochs[shard]) return;
    this.#epochs[shard] = epoch;
    this.#peer.ownerChanged?.(shard);
  }

  #sayMoved(shards: readonly number[]): void {
    const { view } = this.#parts;
    for (const link of this.#links.values()) {
      link.sayHeld((shard) => shards.includes(shard) && view.place(shard).owner === link.store);
    }
  }

  /** Its connection ends by itself: until then it may use what it was given. */
  #down(store: number): void {
    this.#links.get(store)?.close();
    this.#links.delete(store);
    for (const asked of this.#asked) asked.without(store);
  }

  #forgetSenders(): void {
    const { view } = this.#parts;
    this.inbound.marks.forget(
      (gateway) => view.member(gateway) === undefined && !view.isDown(gateway),
    );
  }

  #reaches(shard: number): boolean {
    return this.#links.has(this.#parts.view.place(shard).owner);
  }
}
