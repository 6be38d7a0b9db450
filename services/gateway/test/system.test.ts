import { expect, test } from "vitest";
import { Counters } from "../src/counters.ts";
import { LoadAverages } from "../src/load.ts";
import { connect } from "./client.ts";
import { World } from "./world.ts";

test("$SYS: all values to who subscribes, what changes afterwards, and nothing to #", async () => {
  const world = await World.start({ sysInterval: 1000 });
  const everything = await connect(world, "everything");
  await everything.subscribe("#");
  const operator = await connect(world, "operator");
  await operator.subscribe("$SYS/broker/#");
  const first = operator.takeAll("publish");
  expect(first.every(({ retain }) => retain)).toBe(true);
  const values = new Map(first.map(({ topic, payload }) => [topic, payload.toString()]));
  expect(values.get("$SYS/broker/version")).toBe("canopy test");
  await world.pass(1000);
  const second = operator.takeAll("publish");
  expect(second.every(({ retain }) => !retain)).toBe(true);
  const changed = new Map(second.map(({ topic, payload }) => [topic, payload.toString()]));
  expect(changed.get("$SYS/broker/clients/connected")).toBe("2");
  expect(changed.has("$SYS/broker/version")).toBe(false);
  expect(everything.payloads()).toEqual([]);
});

test("[MQTT-4.7.2-1] nobody but the broker publishes to $SYS", async () => {
  const world = await World.start();
  const client = await connect(world, "c");
  client.publish("$SYS/broker/version", "mine", { qos: 1 });
  await world.settle();
  expect(client.take("puback").reasonCode).toBe(0x87);
});

test("load averages come up to a steady rate, the shortest window first, and decay", () => {
  const counters = new Counters();
  const load = new LoadAverages(0);
  let now = 0;
  let shown = new Map<string, string>();
  const value = (window: string): number => Number(shown.get(`load/publish/received/${window}`));
  for (let i = 0; i < 60; i++) {
    now += 10_000;
    counters.publishReceived += 100;
    shown = load.update(now, counters);
    expect(value("1min")).toBeGreaterThanOrEqual(value("5min"));
    expect(value("5min")).toBeGreaterThanOrEqual(value("15min"));
  }
  expect(value("1min")).toBeCloseTo(600, 0);
  shown = load.update(now + 60_000, counters);
  expect(value("1min")).toBeCloseTo(600 / Math.E, 0);
});
