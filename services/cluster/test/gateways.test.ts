/** What happens between gateways, and to a gateway that dies, stands still or has nobody to talk to. */
import {
  hasMosquitto,
  mosquittoPub,
  mosquittoSub,
  mqttJs,
  RawClient,
  Scope,
  waitFor,
} from "@canopy/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, type ClusterProcess, startCluster } from "../src/index.ts";

const scope = new Scope();
const said: string[] = [];
let cluster: Cluster;

beforeAll(async () => {
  const onLine = (name: string, line: string) => said.push(`${name} ${line}`);
  cluster = await startCluster({ gateways: 3, onLine });
  scope.defer(() => cluster.stop());
});
afterAll(() => scope.close());

const lasting = { sessionExpiryInterval: 600 };

/** Settles when a process has logged it. */
function hears(name: string, words: string): Promise<true> {
  return waitFor(() => said.some((line) => line.startsWith(`${name} `) && line.includes(words)), {
    what: () => `${name} to say: ${words}\n${said.slice(-40).join("\n")}`,
  });
}

function gateway(index: number): ClusterProcess {
  return cluster.gateways[index] as ClusterProcess;
}

function at(index: number) {
  const { mqtt } = gateway(index);
  if (mqtt === undefined) throw new Error("a gateway that listens nowhere");
  return mqtt;
}

function urlOf(index: number): string {
  const { host, port } = at(index);
  return `mqtt://${host}:${port}`;
}

function argumentsOf(index: number): string[] {
  const { host, port } = at(index);
  return ["-h", host, "-p", `${port}`];
}

describe("clients of others, on different gateways", () => {
  test.each([0, 1, 2] as const)("MQTT.js at QoS %i", async (qos) => {
    const subscriber = await mqttJs(urlOf(0));
    const got: string[] = [];
    subscriber.on("message", (_topic, payload) => got.push(String(payload)));
    await subscriber.subscribeAsync(`js/${qos}/+`, { qos });
    const publisher = await mqttJs(urlOf(1));
    for (let i = 0; i < 20; i++) await publisher.publishAsync(`js/${qos}/x`, `${i}`, { qos });
    await waitFor(() => got.length === 20);
    expect(got).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  });

  test.skipIf(!hasMosquitto()).each([0, 1, 2])("mosquitto at QoS %i", async (qos) => {
    const topic = `mosquitto/${qos}`;
    const quality = ["-q", `${qos}`, "-t", topic];
    const subscriber = await mosquittoSub([...argumentsOf(0), ...quality]);
    for (const text of ["one", "two"]) {
      const args = [...argumentsOf(1), ...quality, "-V", "5", "-m", text];
      expect((await mosquittoPub(args)).code).toBe(0);
    }
    expect(await subscriber.waitFor(2)).toEqual(["one", "two"]);
  });
});

test("a durable session goes from gateway to gateway with its queue", async () => {
  const fields = { clientId: "wanderer", clean: false, properties: lasting };
  const first = await RawClient.connected(at(0), fields);
  await first.subscribe("way/#", { qos: 1 });
  await first.disconnect();
  const publisher = await RawClient.connected(at(1));
  for (let i = 0; i < 10; i++) {
    await publisher.publish("way/x", `${i}`, { qos: 1 });
    const next = await RawClient.open(at((i + 1) % 3));
    await next.connect(fields, { sessionPresent: true });
    next.acknowledge = true;
    await next.expect("publish", { payload: `${i}` });
    await next.disconnect();
  }
});

test("a retained message is found at every gateway", async () => {
  const publisher = await RawClient.connected(at(0));
  await publisher.publish("kept/x", "here", { qos: 1, retain: true });
  for (const index of [0, 1, 2]) {
    const client = await RawClient.connected(at(index));
    await client.subscribe("kept/#");
    await client.expect("publish", { payload: "here", retain: true });
  }
});

test("the members of a shared subscription are on different gateways", async () => {
  const members = await Promise.all(
    [0, 1].map(async (index) => {
      const member = await RawClient.connected(at(index));
      member.acknowledge = true;
      await member.subscribe("$share/group/work", { qos: 1 });
      return member;
    }),
  );
  const publisher = await RawClient.connected(at(2));
  for (let i = 0; i < 40; i++) await publisher.publish("work", `${i}`, { qos: 1 });
  const payloads = () => members.map(({ waiting }) => waiting.length);
  await waitFor(() => payloads().reduce((sum, count) => sum + count, 0) === 40);
  expect(Math.min(...payloads())).toBeGreaterThan(0);
});

test("a gateway is killed: its clients' wills are published once, their sessions go on elsewhere", async () => {
  const watcher = await RawClient.connected(at(0));
  watcher.acknowledge = true;
  await watcher.subscribe("last/words", { qos: 1 });
  const fields = { clientId: "mourned", clean: false, properties: lasting };
  const will = {
    topic: "last/words",
    payload: Buffer.from("gone"),
    qos: 1 as const,
    retain: false,
  };
  const client = await RawClient.connected(at(2), { ...fields, will });
  await client.subscribe("for/mourned", { qos: 1 });
  gateway(2).kill("SIGKILL");
  await gateway(2).ended;
  const again = await RawClient.open(at(1));
  await again.connect(fields, { sessionPresent: true });
  const publisher = await RawClient.connected(at(0));
  await publisher.publish("for/mourned", "still there", { qos: 1 });
  await again.expect("publish", { payload: "still there" });
  await watcher.expect("publish", { payload: "gone" });
  await publisher.publish("last/words", "end", { qos: 1 });
  await watcher.expect("publish", { payload: "end" });
  await gateway(2).start();
});

test("a gateway that stood still sends its clients away and begins anew, at the same place", async () => {
  const fields = { clientId: "sleeper", clean: false, properties: lasting };
  const client = await RawClient.connected(at(2), fields);
  const other = await RawClient.connected(at(2));
  gateway(2).kill("SIGSTOP");
  const taker = await RawClient.open(at(0));
  await taker.connect(fields, { sessionPresent: true });
  // what is asked while it stands still is not answered
  for (const asking of [client, other]) asking.send({ cmd: "pingreq" });
  gateway(2).kill("SIGCONT");
  // whatever it hears of first
  const { reasonCode } = await client.expect("disconnect");
  expect(reasonCode).toBeOneOf([0x8b, 0x8e]);
  await client.expectClosed();
  await other.expect("disconnect", { reasonCode: 0x8b });
  await other.expectClosed();
  await hears("gateway-3", "a member of the cluster again");
  const back = await RawClient.open(at(2));
  await back.connect(fields, { sessionPresent: true });
  await taker.expect("disconnect", { reasonCode: 0x8e });
});

test("without a majority of session nodes nothing is answered; with it everything goes on", async () => {
  const client = await RawClient.connected(at(0), { clientId: "patient" });
  await client.subscribe("later", { qos: 1 });
  const [, ...most] = cluster.sessions;
  for (const node of most) node.kill("SIGSTOP");
  await hears("gateway-1", "the lease has run out");
  client.send({ cmd: "pingreq" });
  client.sendPublish("later", "held", { qos: 1 });
  for (const node of most) node.kill("SIGCONT");
  await client.expect("pingresp");
  await client.find("puback", { reasonCode: 0 });
  await client.find("publish", { payload: "held" });
});

test("who is started before the others waits for them, and says for whom", async () => {
  const durable = { clientId: "before", clean: false, properties: lasting };
  const before = await RawClient.connected(at(0), durable);
  await before.subscribe("before/#", { qos: 1 });
  await before.publish("before/x", "kept", { qos: 1 });
  await Promise.all(cluster.gateways.map((one) => one.stop()));
  await Promise.all(cluster.stores.map((one) => one.stop()));
  await Promise.all(cluster.sessions.map((one) => one.stop()));
  said.length = 0;
  const started = cluster.gateways.map((one) => one.start());
  await hears("gateway-1", "waiting for the session nodes: session-1 (127.0.0.1:");
  const [first, ...rest] = cluster.sessions;
  started.push(...[first, ...cluster.stores].map((one) => (one as ClusterProcess).start()));
  await hears("session-1", "waiting for a leader of every group");
  started.push(...rest.map((one) => one.start()));
  await Promise.all(started);
  const after = await RawClient.open(at(1));
  await after.connect(durable, { sessionPresent: true });
  await after.expect("publish", { payload: "kept" });
});
