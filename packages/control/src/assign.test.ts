import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { missingOwners, nextMove, type Placement } from "./assign.ts";
import type { Member, ShardPlace } from "./change.ts";

function store(incarnation: number, disk = ""): Member {
  return { kind: "store", incarnation, name: `s${incarnation}`, address: "", disk };
}

function placement(stores: readonly Member[], places: readonly ShardPlace[]): Placement {
  return { stores: () => stores, places: () => places };
}

function place(shard: number, owner: number, epoch: number, home = ""): ShardPlace {
  return { shard, owner, epoch, home };
}

const fresh = (shards: number) => Array.from({ length: shards }, (_, shard) => place(shard, 0, 0));

/** As the state does it. */
function assigned(before: Placement, made: ReturnType<typeof missingOwners>): Placement {
  const places = before.places().map((old) => {
    const change = made.find(({ shard }) => shard === old.shard);
    if (change === undefined) return old;
    const disk = before.stores().find(({ incarnation }) => incarnation === change.owner)?.disk;
    return place(old.shard, change.owner, old.epoch + 1, disk || old.home);
  });
  return placement(before.stores(), places);
}

function loads(of: Placement): number[] {
  return of
    .stores()
    .map(({ incarnation }) => of.places().filter(({ owner }) => owner === incarnation).length);
}

describe("shards without an owner", () => {
  test("are spread over the live store processes", () => {
    const of = placement([store(1), store(2), store(3)], fresh(8));
    expect(loads(assigned(of, missingOwners(of, true)))).toEqual([3, 3, 2]);
  });

  test("that were never owned wait until all are there that shall have some", () => {
    const of = placement([store(1)], [...fresh(2), place(2, 9, 4)]);
    expect(missingOwners(of, false)).toEqual([{ shard: 2, owner: 1, epoch: 4 }]);
  });

  test("stay with the disk that is their home", () => {
    const places = [place(0, 7, 3, "a"), place(1, 0, 2, "b"), place(2, 0, 1, "c")];
    const of = placement([store(8, "b"), store(9, "a")], places);
    expect(missingOwners(of, true)).toEqual([
      { shard: 0, owner: 9, epoch: 3 },
      { shard: 1, owner: 8, epoch: 2 },
    ]);
  });

  test("of a shared backend do not go to a store process that has a disk instead", () => {
    const of = placement([store(1, "disk")], [place(0, 9, 4), place(1, 0, 0)]);
    expect(missingOwners(of, true)).toEqual([{ shard: 1, owner: 1, epoch: 0 }]);
  });

  test("of one that is down are spread over those that have the fewest", () => {
    const places = [place(0, 1, 1), place(1, 1, 1), place(2, 2, 1), place(3, 3, 1), place(4, 3, 1)];
    const of = placement([store(1), store(2)], places);
    expect(missingOwners(of, true)).toEqual([
      { shard: 3, owner: 2, epoch: 1 },
      { shard: 4, owner: 1, epoch: 1 },
    ]);
  });
});

describe("moves", () => {
  test("even out what a new store process finds, one shard at a time, and come to an end", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.nat(5), { maxLength: 30 }),
        (n, owners) => {
          const stores = Array.from({ length: n }, (_, i) => store(i + 1));
          let of = placement(
            stores,
            owners.map((owner, shard) => place(shard, 1 + (owner % n), 1)),
          );
          for (let moves = 0; ; moves++) {
            expect(moves).toBeLessThanOrEqual(owners.length);
            const move = nextMove(of);
            if (move === undefined) break;
            of = assigned(of, [move]);
          }
          const counts = loads(of);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("wait until every shard has an owner", () => {
    const of = placement([store(1), store(2)], [place(0, 1, 1), place(1, 1, 1), place(2, 9, 1)]);
    expect(nextMove(of)).toBeUndefined();
  });

  test("are not of shards that have a home", () => {
    const places = [place(0, 1, 1, "a"), place(1, 1, 1, "a"), place(2, 1, 1, "a")];
    expect(nextMove(placement([store(1, "a"), store(2, "b")], places))).toBeUndefined();
    expect(nextMove(placement([], []))).toBeUndefined();
  });
});
