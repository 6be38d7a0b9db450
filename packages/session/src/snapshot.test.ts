import { DecodeError } from "@canopy/base";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { delivery, dump, Group, PLACEMENT, will } from "../test/group.ts";
import { Script, scripts } from "../test/script.ts";
import type { Command } from "./commands.ts";
import { restore } from "./restore.ts";
import { SessionState } from "./state.ts";

// Thousands of random cases, on machines that do other things too.
vi.setConfig({ testTimeout: 30_000 });

describe("a snapshot", () => {
  test("taken in the middle plus the commands behind it is the whole", () => {
    fc.assert(
      fc.property(scripts, fc.nat(), fc.nat(), (steps, from, every) => {
        const state = SessionState.create(PLACEMENT);
        const script = new Script();
        const apply = (step: (typeof steps)[number]): Command => {
          const command = script.command(step);
          script.answered(command, state.apply(command));
          return command;
        };
        const middle = from % (steps.length + 1);
        steps.slice(0, middle).forEach(apply);
        const before = dump(state);
        const snapshot = state.snapshot();
        const chunks: Uint8Array[] = [];
        const pull = () => {
          const { value } = snapshot.next();
          if (value) chunks.push(value);
        };
        const behind = steps.slice(middle).map((step, i) => {
          // also the first chunk may come later than the first change
          if ((i + 1) % (1 + (every % 10)) === 0) pull();
          return apply(step);
        });
        chunks.push(...snapshot);
        const restored = restore(chunks);
        expect(dump(restored)).toEqual(before);
        for (const command of behind) restored.apply(command);
        expect(dump(restored)).toEqual(dump(state));
      }),
      { numRuns: 500 },
    );
  });

  test("of many sessions stays whole while all of them change between its chunks", () => {
    const g = new Group();
    const opened = Array.from({ length: 4_000 }, (_, i) =>
      g.open({ clientId: `client-${i}`, will: i % 3 === 0 ? will(`w${i}`, 5) : undefined }),
    );
    for (const [i, session] of opened.entries()) {
      g.subscribe(session, [`own/${i}`, `all/${i % 7}`, "#"], [i, i, i, i]);
      g.deliver(session, { assigned: [delivery(1, 2 ** 40 + i)] });
    }
    const before = dump(g.state);
    const snapshot = g.state.snapshot();
    const chunks: Uint8Array[] = [];
    let next = opened.length;
    for (const chunk of snapshot) {
      chunks.push(chunk);
      for (let n = 0; n < 150 && next > 0; n++) {
        const session = opened[--next]!;
        if (next % 2 === 0) g.release(session, { expiry: 0 });
        else g.progress(session, { cursors: [1, 2 ** 41] });
        g.open({ clientId: `new-${next}` });
      }
    }
    expect(chunks.length).toBeGreaterThan(5);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(150_000);
    expect(dump(restore(chunks))).toEqual(before);
    expect(dump(restore(g.state.snapshot()))).toEqual(dump(g.state));
  });

  test("keeps equal vectors and filters as one", () => {
    const g = new Group();
    for (let i = 0; i < 100; i++) {
      g.subscribe(
        g.open({ clientId: `c${i}` }),
        ["a/long/filter/of/many"],
        [2 ** 45, 2 ** 46, 1, 2],
      );
    }
    const bytes = [...g.state.snapshot()].reduce((sum, { length }) => sum + length, 0);
    expect(bytes / 100).toBeLessThan(25);
    const restored = restore(g.state.snapshot());
    const [first, second] = [1, 2].map((incarnation) => restored.inspect(incarnation));
    expect(first?.subscriptions[0]?.starts).toBe(second?.subscriptions[0]?.starts);
  });

  test("is one at a time, and can be given up", () => {
    const g = new Group();
    g.open();
    const first = g.state.snapshot();
    expect(() => g.state.snapshot()).toThrow("already");
    first.return();
    expect(first.next().done).toBe(true);
    expect(dump(restore(g.state.snapshot()))).toEqual(dump(g.state));
  });

  test("that was cut, damaged or is of another version is refused", () => {
    const g = new Group();
    g.subscribe(g.open(), ["f"]);
    const chunks = [...g.state.snapshot()];
    expect(chunks).toHaveLength(3);
    const [header, sessions, end] = chunks as [Buffer, Buffer, Buffer];
    expect(() => restore([header, sessions])).toThrow(DecodeError);
    expect(() => restore([header, end])).toThrow("0 of 1 sessions");
    expect(() => restore([sessions, end])).toThrow(DecodeError);
    expect(() => restore([...chunks, end])).toThrow(DecodeError);
    for (let cut = 1; cut < sessions.length; cut++) {
      expect(() => restore([header, sessions.subarray(0, cut), end])).toThrow(DecodeError);
    }
    for (const version of [3, 5]) {
      const other = Buffer.from(header);
      other[1] = version;
      expect(() => restore([other, sessions, end])).toThrow(`version ${version}`);
    }
  });
});
