import { Deferred, type Logger, silentLogger } from "@canopy/base";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import { sayWaiting } from "./waiting.ts";

function start() {
  const time = new FakeTime();
  const said: string[] = [];
  const logger: Logger = { ...silentLogger, info: (_, message) => void said.push(message) };
  const awaited = new Deferred<number>();
  let whom = "n1, n2";
  const what = (): string => whom;
  const done = sayWaiting(awaited.promise, what, { timers: time, logger });
  const others = (names: string): void => {
    whom = names;
  };
  return { time, said, awaited, done, others };
}

test("what comes at once is not spoken of", async () => {
  const { time, said, awaited, done } = start();
  time.advance(999);
  awaited.resolve(7);
  expect(await done).toBe(7);
  expect(time.pending).toBe(0);
  expect(said).toEqual([]);
});

test("what takes longer is said after a second, and then every ten, as it is then", async () => {
  const { time, said, awaited, done, others } = start();
  time.advance(1_000);
  others("n2");
  time.advance(10_000);
  expect(said).toEqual(["waiting for n1, n2", "waiting for n2"]);
  awaited.reject(new Error("stopped"));
  await expect(done).rejects.toThrow("stopped");
  expect(time.pending).toBe(0);
});
