import { expect, test } from "vitest";
import type { Unfinished } from "../port.ts";
import { type MakeHarness, progressOf, subscribeTo, world } from "./harness.ts";

function delivery(packetId: number, offset: number): Unfinished {
  const source = "queue" as const;
  return { packetId, qos: 2, received: false, source, queue: "f", shard: 1, offset };
}

export function progressTests(makeHarness: MakeHarness): void {
  test("of many sessions is one request; what is stale in it is left out", async () => {
    const { gateway } = await world(makeHarness);
    const ids = Array.from({ length: 2_500 }, (_, i) => `c${i}`);
    const opened = await Promise.all(ids.map((clientId) => gateway.open({ clientId })));
    const batch = opened.map((one, i) => progressOf(one, { cursors: [1, 50 + i] }));
    const stale = { ...batch[7]!, epoch: 99, cursors: [1, 1_000_000] };
    await gateway.sessions.progress([...batch, stale]);
    await gateway.sessions.progress([]);
    for (const i of [0, 7, 2_499]) {
      await gateway.release(opened[i]!);
      const { cursors } = await gateway.open({ clientId: `c${i}` });
      expect(cursors).toEqual([0, 50 + i, 0, 0]);
    }
  }, 30_000);

  test("never goes back, and joins what is finished above the cursor", async () => {
    const { gateway } = await world(makeHarness);
    const opened = await gateway.open();
    const tell = (cursor: number, ...ranges: number[]) =>
      gateway.sessions.progress([
        progressOf(opened, { cursors: [1, cursor], done: [{ shard: 1, ranges }] }),
      ]);
    await tell(30, 35, 36);
    await tell(20, 37, 40);
    await gateway.release(opened);
    expect(await gateway.open()).toMatchObject({
      cursors: [0, 30, 0, 0],
      done: [{ shard: 1, ranges: [35, 40] }],
    });
  });

  test("[MQTT-4.6.0-1] [MQTT-4.3.3-4] deliveries are kept in their order, through PUBREC to PUBCOMP", async () => {
    const { gateway } = await world(makeHarness);
    const opened = await gateway.open();
    const { incarnation, epoch } = opened;
    await gateway.sessions.subscribe(subscribeTo(opened, { filter: "f", qos: 2 }));
    const nothing = { completed: [], received: [], assigned: [], retainedAfter: [] };
    const tell = (changes: Partial<typeof nothing> | { assigned: Unfinished[] } | object) =>
      gateway.sessions.deliveries([{ incarnation, epoch, ...nothing, ...changes }]);
    await tell({ assigned: [delivery(3, 21), delivery(1, 22)] });
    await tell({ assigned: [delivery(2, 23)], received: [3] });
    await tell({ completed: [3], received: [1] });
    // Given again after an answer that was lost.
    await tell({ completed: [3], received: [1] });
    await gateway.release(opened);
    expect(await gateway.open()).toMatchObject({
      unfinished: [
        { packetId: 1, offset: 22, received: true },
        { packetId: 2, offset: 23, received: false },
      ],
      done: [{ shard: 1, ranges: [21, 21] }],
    });
  });
}
