import type { DeliveryChanges, Progress } from "@canopy/session";
import { expect, test } from "vitest";
import { connect, resume } from "./client.ts";
import { World } from "./world.ts";

test("a session group that does not answer keeps no other group's sessions waiting", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const [one, two] = [await resume(world, "one"), await resume(world, "two")];
  for (const client of [one, two]) await client.subscribe("a", { qos: 2 });
  const { sessions } = world.gateway;
  const { promise: answer, resolve } = Promise.withResolvers<void>();
  const progressed: number[] = [];
  const held = Math.min(...[...world.gateway.clients].filter((c) => c.durable).map(incarnationOf));
  const isHeld = (batch: readonly { readonly incarnation: number }[]): boolean => {
    return batch.some(({ incarnation }) => incarnation === held);
  };
  const deliveries = sessions.deliveries.bind(sessions);
  const progress = sessions.progress.bind(sessions);
  Object.assign(sessions, {
    groupOf: (incarnation: number) => incarnation,
    deliveries: async (batch: readonly DeliveryChanges[]) => {
      if (isHeld(batch)) await answer;
      await deliveries(batch);
    },
    progress: async (batch: readonly Progress[]) => {
      if (isHeld(batch)) await answer;
      else progressed.push(...batch.map(incarnationOf));
      await progress(batch);
    },
  });
  publisher.publish("a", "x", { qos: 2 });
  await world.settle();
  expect([one.payloads(), two.payloads()]).toEqual([[], ["x"]]);
  await world.pass(1000);
  expect(progressed.length).toBeGreaterThan(0);
  resolve();
  await world.settle();
  expect(one.payloads()).toEqual(["x"]);
});

function incarnationOf({ incarnation }: { readonly incarnation: number }): number {
  return incarnation;
}
