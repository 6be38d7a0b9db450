import type { Dispatch, Offset, Returned, ShareMember } from "@canopy/store";
import { qosOf } from "./records.ts";

type Offsets = Set<Offset>;

/** Of so many that have left it is known where they were: what was on its way to them comes soon, or not. */
const MOST_LEFT = 1_000;

/** A gateway's members of shared subscriptions, and the stored messages that they have not finished. */
export class Members {
  readonly #members = new Map<number, ShareMember>();
  /** Member → shard → offsets. Bounded by the members' windows. */
  readonly #held = new Map<number, Map<number, Offsets>>();

  /** Filters of those that have left, in that order. */
  readonly #left = new Map<number, string>();

  all(): Iterable<ShareMember> {
    return this.#members.values();
  }

  join(member: ShareMember): void {
    this.#members.set(member.member, member);
  }

  /** What it held goes to others. */
  leave(member: number): void {
    const { filter } = this.#members.get(member) ?? {};
    if (filter !== undefined) this.#left.set(member, filter);
    for (const first of this.#left.keys()) {
      if (this.#left.size <= MOST_LEFT) break;
      this.#left.delete(first);
    }
    this.#members.delete(member);
    this.#held.delete(member);
  }

  /** What has crossed the word that its member leaves: nobody else has it, where it is not stored. */
  returned({ member, offset, bytes, start, end, topic }: Dispatch): Returned | undefined {
    const filter = this.#left.get(member);
    if (filter === undefined || offset !== 0 || qosOf(bytes, start) === 0) return undefined;
    return { filter, record: Buffer.from(bytes.subarray(start, end)), topic };
  }

  dispatched({ member, shard, offset, bytes, start }: Dispatch): void {
    if (offset === 0 || !this.#members.has(member) || qosOf(bytes, start) === 0) return;
    let shards = this.#held.get(member);
    if (shards === undefined) {
      shards = new Map();
      this.#held.set(member, shards);
    }
    const offsets = shards.get(shard);
    if (offsets === undefined) shards.set(shard, new Set([offset]));
    else offsets.add(offset);
  }

  settled(member: number, shard: number, offset: Offset): void {
    const shards = this.#held.get(member);
    const offsets = shards?.get(shard);
    if (offsets?.delete(offset) !== true || offsets.size > 0) return;
    shards?.delete(shard);
    if (shards?.size === 0) this.#held.delete(member);
  }

  *held(): Generator<{ member: number; shard: number; offsets: readonly Offset[] }> {
    for (const [member, shards] of this.#held) {
      for (const [shard, offsets] of shards) yield { member, shard, offsets: [...offsets] };
    }
  }
}
