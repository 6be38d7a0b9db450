import { seededRandom } from "@canopy/base";
import { type GroupRoutes, SessionError, type SessionQueries } from "@canopy/session";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import { settled } from "../../test/fake-stores.ts";
import { GroupQueries } from "./group-queries.ts";

/** A group at one node: its leader, or one that names the leader, or one that says nothing. */
class FakeQueries implements SessionQueries {
  readonly asked: string[] = [];
  leader: string | undefined;
  isSilent = false;

  routes(after: number): Promise<GroupRoutes> {
    return this.#answer(`routes ${after}`, { term: 1, seq: 0, filters: ["f"] });
  }

  lowest(asked: readonly unknown[]): Promise<readonly number[]> {
    return this.#answer(`lowest ${asked.length}`, [5]);
  }

  sharedUnfinished(asked: readonly unknown[]): Promise<readonly (readonly number[])[]> {
    return this.#answer(`unfinished ${asked.length}`, [[6, 7]]);
  }

  areLive(incarnations: readonly number[]): Promise<readonly boolean[]> {
    return this.#answer(`live ${incarnations.join(" ")}`, [true]);
  }

  async #answer<T>(call: string, value: unknown): Promise<T> {
    this.asked.push(call);
    if (this.isSilent) return new Promise(() => {});
    const { leader } = this;
    if (leader !== undefined) throw new SessionError("not-leader", "not me", { leader });
    return value as T;
  }
}

function start(names: readonly string[]) {
  const time = new FakeTime();
  const nodes = new Map(names.map((name) => [name, new FakeQueries()]));
  const node = (name: string): FakeQueries => nodes.get(name) as FakeQueries;
  const around = { clock: time, timers: time, random: seededRandom(1) };
  const queries = new GroupQueries(3, {
    ...around,
    nodes: () => names,
    connect: (name, group) => {
      expect(group).toBe(3);
      return node(name);
    },
  });
  return { time, node, queries };
}

test("all questions go to who leads the group, once it is known", async () => {
  const { node, queries } = start(["a", "b", "c"]);
  for (const name of ["a", "c"]) node(name).leader = "b";
  expect(await queries.lowest([{ filter: "f", shard: 0 }])).toEqual([5]);
  for (const name of ["a", "c"]) node(name).asked.length = 0;
  expect(await queries.sharedUnfinished([{ filter: "f", shard: 0 }])).toEqual([[6, 7]]);
  expect(await queries.areLive([9, 10])).toEqual([true]);
  expect(await queries.routes(4)).toMatchObject({ filters: ["f"] });
  expect(node("b").asked).toEqual(["lowest 1", "unfinished 1", "live 9 10", "routes 4"]);
  expect([...node("a").asked, ...node("c").asked]).toEqual([]);
});

test("where nobody answers it is said after ten seconds; all routes have a minute", async () => {
  const { time, node, queries } = start(["a"]);
  node("a").isSilent = true;
  const outcomes: string[] = [];
  const note = (name: string, answer: Promise<unknown>): void => {
    answer.catch((error: SessionError) => outcomes.push(`${name} ${error.code} ${time.now()}`));
  };
  note("live", queries.areLive([1]));
  note("routes", queries.routes(1));
  for (let passed = 0; passed < 61_000; passed += 500) {
    time.advance(500);
    await settled();
  }
  expect(outcomes).toEqual(["live indeterminate 10000", "routes indeterminate 60000"]);
});

test("after its end nothing is asked", async () => {
  const { node, queries } = start(["a"]);
  queries.close();
  await expect(queries.areLive([1])).rejects.toMatchObject({ code: "closed" });
  expect(node("a").asked).toEqual([]);
});
