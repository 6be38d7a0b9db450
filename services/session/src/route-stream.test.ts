import { silentLogger } from "@canopy/base";
import type { RouteBatch, RouteSink } from "@canopy/session";
import { FakeTime, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Background } from "./background.ts";
import { RouteStream } from "./route-stream.ts";
import { StoreLink } from "./store-link.ts";

const MANY = 100_001;

test("a store that takes nothing is told everything anew, not every change that there was", async () => {
  const batches: RouteBatch[] = [];
  const gate = Promise.withResolvers<void>();
  const sink: RouteSink = {
    routes: async (batch) => {
      batches.push(batch);
      await gate.promise;
    },
    heads: () => Promise.resolve([]),
    publishWill: () => Promise.resolve(),
    sessionsEnded: () => Promise.resolve(),
  };
  const time = new FakeTime();
  let seq = 0;
  const stream = new RouteStream({
    link: new StoreLink(1, () => sink),
    background: new Background(time, time, silentLogger),
    version: () => ({ group: 1, term: 1, seq }),
    routes: () => ["all"],
  });
  stream.flush();
  await waitFor(() => batches.length === 1);
  expect(batches[0]).toMatchObject({ whole: true, seq: 0 });
  for (seq = 0; seq < MANY; seq++) stream.add({ filter: `f${seq % 7}`, add: seq % 2 === 0 });
  stream.flush();
  gate.resolve();
  await stream.reached(MANY);
  expect(batches).toHaveLength(2);
  expect(batches[1]).toMatchObject({
    whole: true,
    seq: MANY,
    changes: [{ filter: "all", add: true }],
  });
});
