import type { Logger, Random } from "@canopy/base";
import type { Offset, Returned, ShardStore, ShareMember } from "@canopy/store";
import { parseFilter } from "@canopy/topic";
import type { GatewayLink } from "../link.ts";
import type { SharedOptions } from "../options.ts";
import { flagsOf, qosOf } from "../record.ts";
import type { SessionGroups } from "../session-groups.ts";
import type { Subscribers } from "../subscribers.ts";
import { Group, type GroupParts } from "./group.ts";
import { Member } from "./member.ts";
import { decodeProgress, type GroupProgress } from "./progress.ts";
import { makeStrategy } from "./strategy.ts";

export interface SharesParts {
  readonly subscribers: Subscribers;
  readonly options: SharedOptions;
  readonly random: Random;
  readonly logger: Logger;
  readonly groups: Pick<SessionGroups, "sharedUnfinished">;
  readonly group: GroupParts;
  /** The group's queue is needed no more: it goes in every shard. */
  readonly removeQueue: (name: string) => void;
}

/** What a member said that it has in flight. */
interface Held {
  readonly group: Group;
  readonly member: Member;
  readonly offsets: readonly Offset[];
}

/** All shared groups. */
export class Shares {
  readonly #parts: SharesParts;
  readonly #groups = new Map<string, Group>();
  /** Member → its group; members are known by their gateway. */
  readonly #groupOf = new Map<Member, Group>();
  /** Members of attachments that ended while their gateways live. */
  readonly #away = new Map<GatewayLink, Map<Member, Group>>();
  /** By shard: what members have in flight, until it is ready. */
  readonly #held = new Map<number, Held[]>();
  /** Gone members of which the sessions have not said yet what stays theirs. */
  readonly #parted = new Map<Group, Member[]>();

  constructor(parts: SharesParts) {
    this.#parts = parts;
  }

  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  get(name: string): Group | undefined {
    return this.#groups.get(name);
  }

  addRoute(name: string): void {
    const group = this.#open(name);
    if (group === undefined) return;
    group.hasRoute = true;
    if (group.queue !== undefined) return;
    group.openQueue();
    this.#parts.subscribers.touch(group.filter, group);
  }

  /** While there are members, what is in the queue is still for them. */
  removeRoute(name: string): void {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.hasRoute = false;
    this.#tidy(group);
  }

  /** The shard is somebody else's now, with what of it is in flight. */
  dropShard(shard: number): void {
    this.#held.delete(shard);
    this.dropReaders(shard);
  }

  /** They are made anew from what is stored. */
  dropReaders(shard: number): void {
    for (const group of this.#groups.values()) group.dropReader(shard);
  }

  /** Dispatching begins, with what nobody has. */
  begin(shard: number): void {
    for (const held of this.#held.get(shard) ?? []) this.#hold(shard, held);
    this.#held.delete(shard);
    for (const group of this.#groups.values()) group.readerIfThere(shard)?.wake(undefined);
  }

  /** See {@link Shards.holds}. */
  holds(link: GatewayLink, number: number, shard: number, offsets: readonly Offset[]): void {
    const member = link.members.get(number);
    const group = member === undefined ? undefined : this.#groupOf.get(member);
    if (member === undefined || group === undefined) return;
    const held = { group, member, offsets };
    if (this.#parts.group.isReady(shard)) {
      this.#hold(shard, held);
      return;
    }
    const others = this.#held.get(shard);
    if (others === undefined) this.#held.set(shard, [held]);
    else others.push(held);
  }

  #hold(shard: number, { group, member, offsets }: Held): void {
    if (member.isGone || group.queue === undefined) return;
    const reader = group.reader(shard, false);
    for (const offset of offsets) reader.hold(member, offset);
  }

  /** What the shard's last owner left of a group's queue. */
  async restore(
    name: string,
    store: ShardStore,
    { kept, hasQueue }: { readonly kept: readonly Offset[]; readonly hasQueue: boolean },
  ): Promise<void> {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    const stored = await store.progress(name);
    if (stored === undefined && kept.length === 0 && !hasQueue) return;
    group.reader(store.shard, false).restore(this.#decode(name, stored), kept);
  }

  /** Damaged progress costs redelivery of what is still in the queue, not the start. */
  #decode(queue: string, stored: Uint8Array | undefined): GroupProgress | undefined {
    if (stored === undefined) return undefined;
    try {
      return decodeProgress(stored);
    } catch (error) {
      this.#parts.logger.error({ err: error, queue }, "progress can't be read: it starts anew");
      return undefined;
    }
  }

  join(link: GatewayLink, request: ShareMember): void {
    const group = this.#open(request.filter);
    if (group === undefined || link.members.has(request.member)) return;
    const member = new Member(link, request);
    link.members.set(request.member, member);
    this.#groupOf.set(member, group);
    group.join(member);
  }

  leave(
    link: GatewayLink,
    number: number,
    keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void {
    const member = link.members.get(number);
    const group = member === undefined ? undefined : this.#groupOf.get(member);
    if (member !== undefined && group !== undefined) {
      link.members.delete(number);
      this.#groupOf.delete(member);
      group.leave(member);
      group.handBack(member, keep);
    }
    for (const message of returned) this.#passOn(message);
    if (group !== undefined) this.#tidy(group);
  }

  /**
   * All members of a gateway that is down go. What of theirs belongs to sessions for good is asked
   * of the sessions, and nobody else gets it before they have answered [MQTT-4.8.2-4], [MQTT-4.8.2-5].
   */
  leaveAll(link: GatewayLink): void {
    this.part(link);
    this.handOver(link);
  }

  /** The attachment has ended, but not the gateway: its members get nothing, and keep what they have. */
  part(link: GatewayLink): void {
    const away = new Map<Member, Group>();
    for (const member of link.members.values()) {
      const group = this.#groupOf.get(member);
      if (group === undefined) continue;
      this.#groupOf.delete(member);
      group.leave(member);
      group.away.add(link);
      away.set(member, group);
    }
    link.members.clear();
    if (away.size > 0) this.#away.set(link, away);
  }

  /** What members of the attachment have, and nobody has said that he holds, goes to others. */
  handOver(link: GatewayLink): void {
    const away = this.#away.get(link);
    if (away === undefined) return;
    this.#away.delete(link);
    for (const [member, group] of away) {
      const parted = this.#parted.get(group);
      if (parted === undefined) this.#parted.set(group, [member]);
      else parted.push(member);
    }
    for (const group of new Set(away.values())) {
      group.away.delete(link);
      this.#tidy(group);
      void this.#handBack(group);
    }
  }

  settle(link: GatewayLink, number: number, shard: number, offset: Offset): void {
    const member = link.members.get(number);
    const group = member === undefined ? undefined : this.#groupOf.get(member);
    if (member === undefined || group === undefined) return;
    if (offset === 0) group.finished(member);
    else group.readerIfThere(shard)?.settle(member, offset);
  }

  /**
   * What no event tells: sessions that ended with deliveries of theirs, groups whose route is gone
   * and whose queue is drained, readers whose read failed.
   */
  async maintain(group: Group): Promise<void> {
    await this.#handBack(group);
    const readers = [...group.readers].map((reader) => ({ reader, kept: reader.kept() }));
    const asked = readers.filter(({ kept }) => kept.length > 0);
    const unfinished = await this.#unfinishedOf(
      group,
      asked.map(({ reader }) => reader.shard),
    );
    for (const [i, { reader, kept }] of asked.entries()) {
      const listed = new Set(unfinished[i]);
      for (const offset of kept) if (!listed.has(offset)) reader.finish(offset);
    }
    if (!group.hasRoute && group.queue !== undefined && group.isDrained) this.#closeQueue(group);
    group.wake(undefined);
  }

  #open(name: string): Group | undefined {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const parsed = parseFilter(name);
    if (!parsed.ok || parsed.share === undefined) return undefined;
    const { options, random, subscribers } = this.#parts;
    const strategy = options.strategies[parsed.share] ?? options.strategy;
    const made = makeStrategy(strategy, random);
    const group = new Group(name, parsed.filter, made, this.#parts.group);
    this.#groups.set(name, group);
    subscribers.add(group.filter, group);
    return group;
  }

  /** A group without members keeps only what a durable session will come back for. */
  #tidy(group: Group): void {
    if (group.hasMembers || group.hasRoute || group.away.size > 0) return;
    if (group.queue !== undefined) this.#closeQueue(group);
    this.#groups.delete(group.name);
    this.#parts.subscribers.remove(group.filter, group);
  }

  #closeQueue(group: Group): void {
    group.closeQueue();
    this.#parts.subscribers.touch(group.filter, group);
    this.#parts.removeQueue(group.name);
  }

  #passOn({ filter, record, topic }: Returned): void {
    const group = this.#groups.get(filter);
    if (group === undefined || !group.hasMembers) {
      this.#parts.group.undispatched();
      return;
    }
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
    group.pass(topic.shard, bytes, 0, bytes.length, topic, qosOf(flagsOf(bytes, 0)));
  }

  /** What members of gateways that are down had goes to others, but for what stays with sessions. */
  async #handBack(group: Group): Promise<void> {
    const members = this.#parted.get(group);
    if (members === undefined) return;
    const shards = [...group.readers].map(({ shard }) => shard);
    const asked = members.length;
    try {
      const unfinished = await this.#unfinishedOf(group, shards);
      const keep = shards.flatMap((shard, i) =>
        (unfinished[i] ?? []).map((offset) => ({ shard, offset })),
      );
      for (const member of members.splice(0, asked)) group.handBack(member, keep);
      if (members.length === 0) this.#parted.delete(group);
    } catch (error) {
      // The maintenance pass asks again.
      this.#parts.logger.warn({ err: error, group: group.name }, "sessions can't be asked");
    }
  }

  #unfinishedOf(group: Group, shards: readonly number[]): Promise<readonly (readonly Offset[])[]> {
    if (shards.length === 0) return Promise.resolve([]);
    const asked = shards.map((shard) => ({ filter: group.name, shard }));
    return this.#parts.groups.sharedUnfinished(asked);
  }
}
