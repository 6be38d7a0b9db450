import { Deferred } from "@canopy/base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Turnstile } from "./turnstile.ts";

/** Those that were let in. */
function settled<T>(results: (Promise<T> | undefined)[]): Promise<T[]> {
  return Promise.all(results.filter((result) => result !== undefined));
}

test("runs so many at once, lets so many wait, and refuses the rest", async () => {
  const turnstile = new Turnstile(2, 1);
  const gate = new Deferred();
  const begun: number[] = [];
  const task = (id: number) => async () => {
    begun.push(id);
    await gate.promise;
    return id;
  };
  const results = [1, 2, 3, 4].map((id) => turnstile.run(task(id)));
  expect(begun).toEqual([1, 2]);
  expect(results[3]).toBeUndefined();
  gate.resolve();
  expect(await settled(results)).toEqual([1, 2, 3]);
});

test("a task that fails makes room like any other", async () => {
  const turnstile = new Turnstile(1, 10);
  const failing = turnstile.run(() => Promise.reject(new Error("no")));
  const next = turnstile.run(async () => "next");
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("next");
});

test("whoever is let in runs, never more at once than allowed, in order", async () => {
  const turns = fc.array(fc.nat({ max: 3 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.nat({ max: 8 }),
      turns,
      async (width, queue, lengths) => {
        const turnstile = new Turnstile(width, queue);
        const order: number[] = [];
        let running = 0;
        const results = lengths.map((length, id) =>
          turnstile.run(async () => {
            order.push(id);
            running++;
            expect(running).toBeLessThanOrEqual(width);
            for (let turn = 0; turn < length; turn++) await Promise.resolve();
            running--;
          }),
        );
        const accepted = results.flatMap((result, id) => (result === undefined ? [] : [id]));
        await settled(results);
        expect(order).toEqual(accepted);
        expect(accepted.length).toBe(Math.min(lengths.length, width + queue));
        expect(running).toBe(0);
      },
    ),
  );
});
