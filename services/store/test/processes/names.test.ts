/** Processes that are called the same. */
import { RawClient } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Stores } from "./stores.ts";

test("of two gateways with one name the later one stays, and the other says what is wrong", async () => {
  const stores = await Stores.make();
  stores.of("s1").start();
  const [first, second] = [stores.gateway("g"), stores.gateway("g")];
  first.start();
  await first.ready();
  second.start();
  const { listeners } = await second.ready();
  expect(await first.exited).toMatchObject({ code: 1 });
  const { error } = await first.says("can't go on", "error");
  expect(error).toBe(
    "another gateway that is called g has taken the place of this one: each needs a node.name of its own",
  );
  const port = Number(new URL((listeners as string[])[0] as string).port);
  const client = await RawClient.connected({ host: "127.0.0.1", port }, { clientId: "c" });
  await client.subscribe("t", { qos: 1 });
  await client.publish("t", "1", { qos: 1 });
  await client.expect("publish", { topic: "t" });
});
