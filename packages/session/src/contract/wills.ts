import { expect, test } from "vitest";
import { type MakeHarness, until, type World, world } from "./harness.ts";

function willOf({ harness }: World, text: string, delay = 0) {
  return { record: harness.record(text), delay, expiry: undefined };
}

function published({ harness, stores }: World): string[] {
  return stores.wills.map(({ record }) => harness.text(record));
}

export function willTests(makeHarness: MakeHarness): void {
  test("[MQTT-3.1.2-8] a will is published when its gateway ends, with its opening's key", async () => {
    const w = await world(makeHarness);
    const { gateway, harness, stores } = w;
    await w.attach();
    const { incarnation, epoch } = await gateway.open({ will: willOf(w, "gone") });
    await harness.end(gateway.incarnation);
    await until(w, () => stores.wills.length === 1);
    expect(stores.wills[0]).toMatchObject({ incarnation, epoch });
    expect(published(w)).toEqual(["gone"]);
  });

  test("[MQTT-3.14.4-3] a normal DISCONNECT drops it", async () => {
    const w = await world(makeHarness);
    const { gateway, stores } = w;
    const drops = await gateway.open({ will: willOf(w, "dropped") });
    await gateway.release(drops, { will: "drop" });
    const other = await gateway.open({ clientId: "other", will: willOf(w, "lost") });
    await gateway.release(other);
    await until(w, () => stores.wills.length > 0);
    expect(published(w)).toEqual(["lost"]);
  });

  test("[MQTT-3.1.3-9] one with a delay comes after it, or not at all after a reconnect", async () => {
    const w = await world(makeHarness);
    const { gateway, harness, stores } = w;
    await gateway.release(await gateway.open({ will: willOf(w, "first", 30) }));
    harness.pass(29_000);
    const again = await gateway.open({ will: willOf(w, "second", 30) });
    harness.pass(10_000);
    await gateway.release(again);
    harness.pass(29_000);
    expect(stores.wills).toEqual([]);
    harness.pass(1_000);
    await until(w, () => stores.wills.length > 0);
    expect(published(w)).toEqual(["second"]);
  });

  test("[MQTT-3.1.2-8] it does not come later than the session's end", async () => {
    const w = await world(makeHarness);
    const { gateway, harness, stores } = w;
    await gateway.release(await gateway.open({ expiry: 10, will: willOf(w, "end", 1_000) }));
    harness.pass(10_000);
    await until(w, () => stores.ended.length === 1);
    expect(published(w)).toEqual(["end"]);
  });

  test("one that the store refuses is given again, until it is taken", async () => {
    const w = await world(makeHarness);
    const { gateway, harness, stores } = w;
    let refusals = 0;
    // However long it takes until the other one comes.
    const isFirst = () => stores.wills.length === 0;
    stores.refuse = (record) => harness.text(record) === "no" && (++refusals < 3 || isFirst());
    for (const text of ["no", "yes"]) {
      const opened = await gateway.open({ clientId: text, expiry: 0, will: willOf(w, text) });
      await gateway.release(opened);
    }
    await until(w, () => stores.wills.length === 2);
    expect(published(w)).toEqual(["yes", "no"]);
    // Only then is there nothing left of their sessions.
    await until(w, () => stores.ended.length === 2);
  });
}
