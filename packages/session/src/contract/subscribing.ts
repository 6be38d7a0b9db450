import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { type MakeHarness, subscribeTo, until, world } from "./harness.ts";

export function subscribeTests(makeHarness: MakeHarness): void {
  test("begins at the heads, and its route is in force when it is answered", async () => {
    const { gateway, stores } = await world(makeHarness);
    const opened = await gateway.open();
    const result = await gateway.sessions.subscribe(subscribeTo(opened, "a/#", "b"));
    expect(result).toMatchObject({
      existed: [false, false],
      subscriptions: [
        { filter: "a/#", qos: 1, queued: true, draining: false, starts: [10, 20, 30, 40] },
        { filter: "b", qos: 1, queued: true, draining: false, starts: [10, 20, 30, 40] },
      ],
    });
    expect([...stores.routesNow].sort()).toEqual(["a/#", "b"]);
  });

  test("is not answered before the store has its route", async () => {
    const { gateway, stores } = await world(makeHarness);
    const opened = await gateway.open();
    const gate = Promise.withResolvers<void>();
    stores.gate = (call) => (call === "routes" ? gate.promise : Promise.resolve());
    let settled = false;
    const subscribed = gateway.sessions.subscribe(subscribeTo(opened, "f")).then(() => {
      settled = true;
    });
    await waitFor(async () => (await gateway.sessions.counts()).subscriptions === 1);
    expect(settled).toBe(false);
    gate.resolve();
    await subscribed;
  });

  test("[MQTT-3.8.4-3] replaced, it keeps where it began", async () => {
    const { gateway, stores } = await world(makeHarness);
    const opened = await gateway.open();
    await gateway.sessions.subscribe(subscribeTo(opened, "f"));
    stores.headsNow = [100, 100, 100, 100];
    const again = subscribeTo(opened, { filter: "f", qos: 2, noLocal: true });
    expect(await gateway.sessions.subscribe(again)).toMatchObject({
      existed: [true],
      subscriptions: [{ qos: 2, noLocal: true, starts: [10, 20, 30, 40] }],
    });
  });

  test("at QoS 0 has no queue and no route", async () => {
    const { gateway, stores } = await world(makeHarness);
    const opened = await gateway.open();
    const asked = subscribeTo(opened, { filter: "f", qos: 0 }, "g");
    expect(await gateway.sessions.subscribe(asked)).toMatchObject({
      subscriptions: [{ queued: false }, { queued: true }],
    });
    expect([...stores.routesNow]).toEqual(["g"]);
  });

  test("ends with an unsubscribe, and its route with the last one", async () => {
    const w = await world(makeHarness);
    const { gateway, stores } = w;
    const [a, b] = [await gateway.open({ clientId: "a" }), await gateway.open({ clientId: "b" })];
    await gateway.sessions.subscribe(subscribeTo(a, "f", "g"));
    await gateway.sessions.subscribe(subscribeTo(b, "f"));
    const end = ({ incarnation, epoch }: typeof a, ...filters: string[]) =>
      gateway.sessions.unsubscribe({ incarnation, epoch, filters, draining: [] });
    expect(await end(a, "f", "nothing", "g")).toEqual([true, false, true]);
    await until(w, () => !stores.routesNow.has("g"));
    expect([...stores.routesNow]).toEqual(["f"]);
    expect(await end(b, "f")).toEqual([true]);
    await until(w, () => stores.routesNow.size === 0);
  });

  test("[MQTT-3.10.4-3] unsubscribed with deliveries in flight, it stays until they have ended", async () => {
    const w = await world(makeHarness);
    const { gateway, stores } = w;
    const opened = await gateway.open();
    const { incarnation, epoch } = opened;
    await gateway.sessions.subscribe(subscribeTo(opened, "f"));
    const request = { incarnation, epoch, filters: ["f"], draining: ["f"] };
    expect(await gateway.sessions.unsubscribe(request)).toEqual([true]);
    expect(await gateway.sessions.unsubscribe(request)).toEqual([false]);
    expect([...stores.routesNow]).toEqual(["f"]);
    const nothing = { cursors: [], done: [], retainedAfter: [], retainedSent: [] };
    await gateway.sessions.progress([{ incarnation, epoch, drained: ["f"], ...nothing }]);
    await until(w, () => stores.routesNow.size === 0);
  });
}
