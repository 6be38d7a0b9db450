/**
 * Who should own which shard. A shard that has a home stays with the store process whose disk that is;
 * one whose backend is shared (no home) may be anybody's.
 */
import type { Incarnation, Member, ShardPlace } from "./change.ts";
import type { Assignment } from "./commands.ts";

/** What is decided from. */
export interface Placement {
  /** Live ones, in the order in which they joined. */
  stores(): readonly Member[];
  /** Of every shard, by number. */
  places(): readonly ShardPlace[];
}

/**
 * For the shards that no live store process owns, as far as one can: a home that is away is waited for.
 *
 * @param first whether shards that were never owned get an owner, and with it, on a disk, a home that
 *   they keep: wait with it until all have joined that shall have some.
 */
export function missingOwners(placement: Placement, first: boolean): readonly Assignment[] {
  const stores = placement.stores();
  const loads = countShards(placement);
  const assignments: Assignment[] = [];
  for (const place of placement.places()) {
    if (loads.has(place.owner)) continue;
    const owner = ownerOf(place, stores, loads, first);
    if (owner === undefined) continue;
    loads.set(owner, (loads.get(owner) ?? 0) + 1);
    assignments.push({ shard: place.shard, owner, epoch: place.epoch });
  }
  return assignments;
}

/**
 * The next shard that goes from the store process with the most to that with the fewest; undefined
 * where that would not even them out, or a shard waits for an owner. Shards with a home don't move.
 */
export function nextMove(placement: Placement): Assignment | undefined {
  const stores = placement.stores().filter(({ disk }) => disk === "");
  const loads = countShards(placement);
  const movable = placement.places().filter(({ home }) => home === "");
  if (movable.some(({ owner }) => !loads.has(owner))) return undefined;
  const to = fewest(stores, loads);
  if (to === undefined) return undefined;
  const from = stores.reduce((most, { incarnation }) => {
    return load(loads, incarnation) > load(loads, most) ? incarnation : most;
  }, to);
  if (load(loads, from) - load(loads, to) < 2) return undefined;
  const place = movable.find(({ owner }) => owner === from);
  return place && { shard: place.shard, owner: to, epoch: place.epoch };
}

/** Of the live store processes. */
function countShards(placement: Placement): Map<Incarnation, number> {
  const loads = new Map(placement.stores().map(({ incarnation }) => [incarnation, 0]));
  for (const { owner } of placement.places()) {
    const count = loads.get(owner);
    if (count !== undefined) loads.set(owner, count + 1);
  }
  return loads;
}

function ownerOf(
  { home, epoch }: ShardPlace,
  stores: readonly Member[],
  loads: ReadonlyMap<Incarnation, number>,
  first: boolean,
): Incarnation | undefined {
  if (home !== "") return stores.find(({ disk }) => disk === home)?.incarnation;
  if (epoch === 0) return first ? fewest(stores, loads) : undefined;
  // What it holds is in the shared backend, which a store process with a disk does not have.
  return fewest(
    stores.filter(({ disk }) => disk === ""),
    loads,
  );
}

/** The earliest of those with the fewest shards. */
function fewest(
  stores: readonly Member[],
  loads: ReadonlyMap<Incarnation, number>,
): Incarnation | undefined {
  let found: Incarnation | undefined;
  for (const { incarnation } of stores) {
    if (found === undefined || load(loads, incarnation) < load(loads, found)) found = incarnation;
  }
  return found;
}

function load(loads: ReadonlyMap<Incarnation, number>, incarnation: Incarnation): number {
  return loads.get(incarnation) ?? 0;
}
