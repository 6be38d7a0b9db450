import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashOf, NameTable } from "./name-table.ts";

interface Named {
  readonly name: string;
  readonly value: number;
}

interface Step extends Named {
  /** It is deleted, else added. */
  readonly gone: boolean;
}

const ascending = (a: number, b: number) => a - b;

function expectMap(steps: readonly Step[]): void {
  const table = new NameTable<Named>(({ name }) => name);
  const map = new Map<string, Named>();
  for (const step of steps) {
    expect(table.get(step.name)).toBe(map.get(step.name));
    const changed = [table, map].map((one) => change(one, step));
    expect(changed[0]).toBe(changed[1]);
    expect(table.size).toBe(map.size);
  }
  for (const { name } of steps) expect(table.get(name)).toBe(map.get(name));
  const values = (of: Iterable<Named>) => [...of].map(({ value }) => value).sort(ascending);
  expect(values(table.values())).toEqual(values(map.values()));
}

/** Whether something was deleted. */
function change(of: NameTable<Named> | Map<string, Named>, step: Step): boolean {
  if (step.gone) return of.delete(step.name);
  if (of instanceof Map) of.set(step.name, step);
  else of.set(step);
  return false;
}

/** 2^doublings names of one hash: FNV-1a goes on alike from where two beginnings meet. */
function alike(doublings: number): string[] {
  let names = [""];
  let state = 2_166_136_261;
  for (let i = 0; i < doublings; i++) {
    const { pair, next } = meeting(state);
    names = names.flatMap((name) => pair.map((end) => name + end));
    state = next;
  }
  return names;
}

/** Two pairs of characters that lead from a state of FNV-1a to the same next one. */
function meeting(state: number): { pair: readonly [string, string]; next: number } {
  const step = (from: number, character: number) => Math.imul(from ^ character, 16_777_619);
  const byUpperHalf = new Map<number, number>();
  for (let first = 0; ; first++) {
    const after = step(state, first);
    const other = byUpperHalf.get(after >>> 16);
    byUpperHalf.set(after >>> 16, first);
    if (other === undefined) continue;
    const difference = (after ^ step(state, other)) & 0xff_ff;
    const pair = [String.fromCharCode(first, 0), String.fromCharCode(other, difference)] as const;
    return { pair, next: step(after, 0) };
  }
}

describe("a table of names", () => {
  test("is a map", () => {
    const number = fc.oneof(fc.nat(20), fc.nat(20_000));
    const step = fc.record({ number, value: fc.nat(9), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        expectMap(steps.map(({ number, ...rest }) => ({ name: `client-${number}`, ...rest })));
      }),
    );
  });

  test("is one also where many names have the same hash", () => {
    const names = alike(10);
    expect(new Set(names).size).toBe(1_024);
    expect(new Set(names.map(hashOf)).size).toBe(1);
    const comeAndGo = [
      ...names.map((name, value) => ({ name, value, gone: false })),
      ...names.map((name, value) => ({ name, value, gone: value % 3 !== 0 })),
      ...names.map((name, value) => ({ name, value: -value, gone: value % 2 === 0 })),
    ];
    expectMap(comeAndGo);
    expectMap([...comeAndGo, ...names.map((name, value) => ({ name, value, gone: true }))]);
  });

  test("looks at few names for one question, however many have its hash", () => {
    let looks = 0;
    const table = new NameTable<Named>((named) => {
      looks++;
      return named.name;
    });
    const names = alike(12);
    for (const [value, name] of names.entries()) table.set({ name, value });
    looks = 0;
    for (const name of names) table.get(name);
    expect(looks / names.length).toBeLessThan(200);
  });

  test("grows and shrinks with what it has", () => {
    const all = Array.from({ length: 20_000 }, (_, value) => ({ name: `devices/${value}`, value }));
    const most = all.filter(({ value }) => value % 100 !== 0);
    expectMap([
      ...all.map((item) => ({ ...item, gone: false })),
      ...most.map((item) => ({ ...item, gone: true })),
      ...most.map((item) => ({ ...item, gone: item.value % 2 === 0 })),
    ]);
  });

  test("spreads names that differ in a number only", () => {
    const parts = new Map<number, number>();
    const places = new Set<number>();
    for (let i = 0; i < 100_000; i++) {
      const hash = hashOf(`devices/${i}/commands`);
      parts.set(hash >>> 23, (parts.get(hash >>> 23) ?? 0) + 1);
      places.add(hash & 0xf_ffff);
    }
    expect(parts.size).toBe(512);
    expect(Math.max(...parts.values())).toBeLessThan(400);
    // As many as chance would take of 2^20 places.
    expect(places.size).toBeGreaterThan(95_000);
  });
});
