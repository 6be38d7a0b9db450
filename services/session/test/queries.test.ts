import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { openRequest } from "./harness.ts";

test("a leader that is cut off answers no question: others may know more by then", async () => {
  const cluster = await Cluster.start();
  const first = await cluster.leader();
  const gateway = await cluster.attach(first);
  const { incarnation } = await first.service.sessions.open(openRequest(gateway));
  const { queries } = first.service;
  expect(await queries.areLive([incarnation])).toEqual([true]);
  cluster.network.cutOff.add(first.name);
  expect(first.service.leading).toBe(true);
  const queue = { filter: "f", shard: 0 };
  const asked = await Promise.allSettled([
    queries.areLive([incarnation, incarnation + 3]),
    queries.lowest([queue]),
    queries.sharedUnfinished([queue]),
    queries.routes(0),
  ]);
  for (const one of asked) {
    expect(one).toMatchObject({
      status: "rejected",
      reason: { code: expect.stringMatching(/^(not-leader|unavailable)$/) },
    });
  }
});
