import { Deferred, silentLogger } from "@canopy/base";
import { expect, test } from "vitest";
import { type Life, Lives } from "./lives.ts";

/** A life that does as the test says, and tells what is done to it. */
class FakeLife implements Life {
  readonly starting = new Deferred();
  readonly ending = new Deferred<string>();
  readonly over: Promise<string> = this.ending.promise;
  readonly told: string[] = [];

  async start(): Promise<void> {
    this.told.push("start");
    await this.starting.promise;
  }

  async stop(): Promise<void> {
    this.told.push("stop");
    this.starting.reject(new Error("stopped"));
  }

  async abandon(): Promise<void> {
    this.told.push("abandon");
  }
}

function begun() {
  const all: FakeLife[] = [];
  const lives = new Lives(() => {
    const life = new FakeLife();
    all.push(life);
    return life;
  }, silentLogger);
  return { all, lives };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("when a life is over it is abandoned, and another one begins", async () => {
  const { all, lives } = begun();
  const started = lives.start();
  all[0]?.starting.resolve();
  await started;
  all[0]?.ending.resolve("its lease ended");
  await turn();
  expect(all.map(({ told }) => told)).toEqual([["start", "abandon"], ["start"]]);
  await lives.stop();
  expect(all[1]?.told).toEqual(["start", "stop"]);
});

test("one that is over before it has started counts for nothing: the next is waited for", async () => {
  const { all, lives } = begun();
  const started = lives.start();
  all[0]?.ending.resolve("its lease ended");
  await turn();
  expect(all.map(({ told }) => told)).toEqual([["start", "abandon"], ["start"]]);
  all[1]?.starting.resolve();
  await started;
});

test("where none can follow, it says why", async () => {
  const { all, lives } = begun();
  const started = lives.start();
  all[0]?.starting.resolve();
  await started;
  all[0]?.ending.resolve("its lease ended");
  await turn();
  all[1]?.starting.reject(new Error("the port is taken"));
  expect(await lives.failed).toBe("the port is taken");
});

test("what is stopped begins no other life", async () => {
  const { all, lives } = begun();
  const started = lives.start();
  all[0]?.starting.resolve();
  await started;
  await lives.stop();
  all[0]?.ending.resolve("its lease ended");
  await turn();
  expect(all.map(({ told }) => told)).toEqual([["start", "stop"]]);
});
