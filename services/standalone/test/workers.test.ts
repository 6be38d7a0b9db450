/** `npm start -- --workers N`: the connections are shared among processes that listen at one address. */
import { join } from "node:path";
import { type Broker, Child, RawClient, startBroker, tempDir, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { fresh, lasting } from "./support.ts";

const main = join(import.meta.dirname, "..", "src", "main.ts");
const args = ["--workers", "2"];

function listening(broker: Broker): (readonly [unknown, unknown])[] {
  return broker.log
    .filter(({ msg }) => msg === "listening")
    .map(({ process, listener }) => [process, listener] as const);
}

test("all of them listen at the same addresses, and serve clients of each other", async () => {
  const broker = await startBroker({ args });
  await broker.logged(/^Canopy is ready/, { workers: 2 });
  const { tcp, ws } = broker;
  for (const gateway of ["gateway-1", "gateway-2"]) {
    expect(listening(broker)).toContainEqual([gateway, `tcp://${tcp.host}:${tcp.port}`]);
    expect(listening(broker)).toContainEqual([gateway, ws.url]);
  }
  const topic = fresh();
  // so many that it is next to impossible that all of them are with one
  const clients = await Promise.all(
    Array.from({ length: 24 }, () => RawClient.connected(broker.tcp)),
  );
  for (const client of clients) await client.subscribe(topic, { qos: 1 });
  await clients[0]?.publish(topic, "x", { qos: 1 });
  for (const client of clients) await client.expect("publish", { payload: "x" });
  expect((await broker.stop()).code).toBe(0);
});

test("what is kept outlives a restart, and is not for a broker of one process", async () => {
  const data = join(await tempDir(), "data");
  const broker = await startBroker({ args, data });
  const fields = { clientId: fresh(), clean: false, properties: lasting };
  const client = await RawClient.connected(broker.tcp, fields);
  await client.subscribe("kept/#", { qos: 1 });
  await client.disconnect();
  const publisher = await RawClient.connected(broker.tcp);
  await publisher.publish("kept/x", "here", { qos: 1 });
  await broker.restart();
  await broker.logged(/^Canopy is ready/);
  const again = await RawClient.open(broker.tcp);
  await again.connect(fields, { sessionPresent: true });
  await again.expect("publish", { payload: "here" });
  await broker.stop();
  const alone = new Child({
    command: process.execPath,
    args: ["--conditions=source", main, "--data", data, "--listen", "tcp://127.0.0.1:0"],
  });
  await waitFor(() => alone.exit !== undefined);
  expect(alone.exit?.code).toBe(2);
  expect(alone.stderr.join("\n")).toContain(
    "the data folder of a broker with workers, not of the standalone broker",
  );
});
