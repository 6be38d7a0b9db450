import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { pick, type Random, randomBool, randomInt } from "@canopy/base";
import {
  type Broker,
  Ledger,
  type LedgerReport,
  mqttJs,
  RawClient,
  startBroker,
  testScope,
  waitFor,
} from "@canopy/testkit";
import { expect, test } from "vitest";
import { Changes } from "./crash/changes.ts";
import { History } from "./crash/history.ts";
import { type Plan, planned } from "./crash/plan.ts";
import { type Lane, mqttJsSender, Publisher, rawSender, type Sender } from "./crash/publisher.ts";
import { RetainedWriter } from "./crash/retained.ts";
import { SessionClient, type SessionClientOptions } from "./crash/session-client.ts";
import { Wills } from "./crash/wills.ts";

const topics = ["k/0/a", "k/0/b", "k/1/a", "k/1/b"];

/** A durable subscriber, by what it is promised. */
interface Subscriber {
  readonly name: string;
  readonly filters: readonly { readonly filter: string; readonly qos: 0 | 1 | 2 }[];
  /** Of the topics, those that it gets. */
  readonly gets: (topic: string) => boolean;
  /** The highest QoS at which it gets a topic. */
  readonly qos: (topic: string) => 0 | 1 | 2;
  readonly version?: 4 | 5;
  readonly receiveMaximum?: number;
  readonly isLazy?: boolean;
  /** Is away for whole rounds. */
  readonly comesAndGoes?: boolean;
}

const all = (): boolean => true;

const subscribers: readonly Subscriber[] = [
  { name: "exact", filters: topics.map((filter) => ({ filter, qos: 2 })), gets: all, qos: () => 2 },
  { name: "wild-1", filters: [{ filter: "k/#", qos: 1 }], gets: all, qos: () => 1, isLazy: true },
  { name: "wild-2", filters: [{ filter: "k/+/+", qos: 2 }], gets: all, qos: () => 2, isLazy: true },
  {
    name: "overlapping",
    filters: [
      { filter: "k/#", qos: 1 },
      { filter: "k/0/+", qos: 2 },
      { filter: "k/+/a", qos: 0 },
    ],
    gets: all,
    qos: (topic) => (topic.startsWith("k/0/") ? 2 : 1),
    isLazy: true,
  },
  {
    name: "narrow",
    filters: [{ filter: "k/1/#", qos: 2 }],
    gets: (topic) => topic.startsWith("k/1/"),
    qos: () => 2,
    receiveMaximum: 3,
    isLazy: true,
  },
  {
    name: "old",
    filters: [{ filter: "k/0/a", qos: 2 }],
    gets: (topic) => topic === "k/0/a",
    qos: () => 2,
    version: 4,
    isLazy: true,
  },
  {
    name: "away-1",
    filters: [{ filter: "k/+/b", qos: 1 }],
    gets: (topic) => topic.endsWith("/b"),
    qos: () => 1,
    comesAndGoes: true,
  },
  {
    name: "away-2",
    filters: [{ filter: "k/0/#", qos: 2 }],
    gets: (topic) => topic.startsWith("k/0/"),
    qos: () => 2,
    isLazy: true,
    comesAndGoes: true,
  },
];

interface World {
  readonly broker: Broker;
  readonly plan: Plan;
  readonly history: History;
  readonly ledger: Ledger;
  readonly clients: Map<string, SessionClient>;
  readonly lanes: Lane[];
  readonly publishers: Publisher[];
  readonly retained: RetainedWriter;
  readonly wills: Wills;
  readonly changes: Changes;
  acknowledged: number;
  received: number;
}

test("kill -9 at any moment loses nothing that was acknowledged, and breaks no promise", {
  timeout: 3_600_000,
}, async () => {
  const world = await build(planned("kill loop", 10));
  const { broker, plan, history, clients } = world;
  const { random } = plan;
  try {
    for (const publisher of world.publishers) publisher.start();
    world.retained.start();
    for (let round = 1; round <= plan.rounds; round++) {
      await comeAndGo(clients, random);
      await world.wills.begin(round);
      await world.changes.change(round);
      await busyUntilAMoment(world);
      history.note("broker", `kill -9, round ${round}`);
      await broker.kill9();
      expect(complaints(broker), `seed ${plan.seed}`).toEqual([]);
      if (randomBool(random, 0.3)) await killWhileStarting(broker, random);
      await broker.start();
      history.note("broker", "started again");
      expect(history.violations, `seed ${plan.seed}`).toEqual([]);
    }
    await settle(world);
    await check(world);
  } catch (error) {
    const lines = broker.log.map((line) => JSON.stringify(line));
    for (const line of [...lines, ...broker.stderr]) history.note("broker", line);
    const path = history.write(`kill-loop-${plan.seed}`);
    throw new Error(`CANOPY_CRASH_SEED=${plan.seed}, what happened is in ${path}`, {
      cause: error,
    });
  }
});

/** Nothing that a crash leaves is worth a warning. */
function complaints({ log, stderr }: Broker): unknown[] {
  return [...log.filter(({ level }) => level !== "info"), ...stderr];
}

/** Recovery is interrupted too, somewhere before the broker listens or right after. */
async function killWhileStarting(broker: Broker, random: Random): Promise<void> {
  const starting = broker.start().catch(() => {});
  await pause(randomInt(random, 500));
  await broker.kill9();
  await starting;
}

/** Small files, so that there are many borders to be killed at. */
function settings(random: Random): Record<string, string | number> {
  const chosen = {
    "store.shards": pick(random, [1, 4]),
    "store.segmentBytes": pick(random, ["4KiB", "64KiB", "1MiB"]),
    "store.cacheBytes": pick(random, ["64KiB", "64MiB"]),
    "session.snapshotEvery": pick(random, ["4KiB", "256KiB"]),
    "session.progressInterval": pick(random, ["5ms", "200ms"]),
    "limits.maxInflight": pick(random, [10, 128]),
  };
  console.log("kill loop:", chosen);
  return chosen;
}

async function build(plan: Plan): Promise<World> {
  const scope = testScope();
  const broker = await startBroker({ timeout: 30_000, set: settings(plan.random) }, scope);
  const history = new History();
  const ledger = new Ledger();
  const base = { address: () => broker.tcp, history, random: plan.random, scope };
  const retained = new RetainedWriter(await staying({ ...base, clientId: "retainer" }));
  const wills = new Wills(base);
  const changes = await Changes.open(base);
  const world: World = {
    broker,
    plan,
    history,
    ledger,
    clients: new Map(),
    lanes: [],
    publishers: [],
    retained,
    wills,
    changes,
    acknowledged: 0,
    received: 0,
  };
  await wills.watch();
  for (const sender of await senders(world, base)) {
    const lanes = lanesOf(sender.name, plan.random);
    world.lanes.push(...lanes);
    world.publishers.push(
      new Publisher(sender, lanes, ledger, () => {
        world.acknowledged++;
      }),
    );
  }
  for (const subscriber of subscribers) await subscribe(world, subscriber, base);
  await subscribeShared(world, base);
  await subscribeMqttJs(world);
  return world;
}

type Base = Pick<SessionClientOptions, "address" | "history" | "random" | "scope">;

async function staying(options: SessionClientOptions): Promise<SessionClient> {
  const client = new SessionClient(options);
  await client.stay();
  return client;
}

async function senders({ broker, history }: World, base: Base): Promise<Sender[]> {
  const raw5 = await staying({ ...base, clientId: "raw5" });
  const raw4 = await staying({ ...base, clientId: "raw4", version: 4 });
  const js5 = await mqttJsSender(broker.url, "js5", 5, history, base.scope);
  const js4 = await mqttJsSender(broker.url, "js4", 4, history, base.scope);
  return [rawSender(raw5), rawSender(raw4), js5, js4];
}

function lanesOf(publisher: string, random: Random): Lane[] {
  const [first, second] = [pick(random, topics), pick(random, topics)];
  return [
    { name: `${publisher}:0`, topic: pick(random, topics), qos: 0 },
    { name: `${publisher}:1`, topic: first, qos: 1 },
    { name: `${publisher}:2`, topic: second, qos: 2 },
  ];
}

async function subscribe(world: World, subscriber: Subscriber, base: Base): Promise<void> {
  const { name, filters, version, receiveMaximum, isLazy, gets } = subscriber;
  const from = world.lanes.filter(({ topic }) => gets(topic)).map((lane) => lane.name);
  world.ledger.subscribe(name, from);
  const client = await staying({
    ...base,
    clientId: name,
    ...(version && { version }),
    ...(receiveMaximum && { receiveMaximum }),
    ...(isLazy && { isLazy }),
    received: ({ payload }) => receive(world, name, payload),
  });
  world.clients.set(name, client);
  await client.subscribe(filters);
}

function receive(world: World, subscriber: string, payload: Uint8Array): void {
  world.received++;
  world.ledger.receive(subscriber, payload);
}

/** Three members of a durable group, one of which is away most of the time. */
async function subscribeShared(world: World, base: Base): Promise<void> {
  world.ledger.subscribe(
    "group",
    world.lanes.map(({ name }) => name),
  );
  for (const member of [1, 2, 3]) {
    const name = `member-${member}`;
    const client = await staying({
      ...base,
      clientId: name,
      isLazy: member !== 1,
      received: ({ payload }) => receive(world, "group", payload),
    });
    world.clients.set(name, client);
    await client.subscribe([{ filter: "$share/group/k/#", qos: 2 }]);
  }
}

async function subscribeMqttJs(world: World): Promise<void> {
  const { broker, ledger, lanes, history } = world;
  for (const version of [4, 5] as const) {
    const name = `js-sub-${version}`;
    ledger.subscribe(
      name,
      lanes.map((lane) => lane.name),
    );
    const client = await mqttJs(broker.url, {
      clientId: name,
      clean: false,
      resubscribe: false,
      protocolVersion: version,
      reconnectPeriod: 20,
      ...(version === 5 && { properties: { sessionExpiryInterval: 3600 } }),
    });
    client.on("error", () => {});
    client.on("message", (_topic, payload, { messageId, dup }) => {
      history.note(name, `< ${payload.toString()} #${messageId}${dup ? " dup" : ""}`);
      receive(world, name, payload);
    });
    await client.subscribeAsync("k/#", { qos: version === 5 ? 2 : 1 });
  }
}

async function comeAndGo(clients: ReadonlyMap<string, SessionClient>, random: Random) {
  const some = subscribers.filter((subscriber) => subscriber.comesAndGoes).map(({ name }) => name);
  for (const name of [...some, "member-3"]) {
    const client = clients.get(name) as SessionClient;
    if (randomBool(random, 0.6)) await (randomBool(random) ? client.vanish() : client.leave());
    else await client.stay();
  }
}

/** Sometimes right after the start, when windows are being resumed; else among messages. */
async function busyUntilAMoment(world: World): Promise<void> {
  const { random } = world.plan;
  const some = [...world.clients.values()].filter(({ isOpen }) => isOpen);
  for (let parts = randomInt(random, 4); parts > 0; parts--) {
    const wanted = world.acknowledged + randomInt(random, 500);
    await waitFor(() => world.acknowledged >= wanted, { timeout: 60_000, what: "PUBACK" });
    if (some.length === 0) continue;
    if (randomBool(random)) pick(random, some).cut();
    else pick(random, some).takeOver();
  }
  for (let turns = randomInt(random, 20); turns > 0; turns--) await turn();
}

/** Everything comes back, and everything that is due arrives. */
async function settle(world: World): Promise<void> {
  const { clients, publishers, retained, ledger, wills } = world;
  await Promise.all([...clients.values()].map((client) => client.stay()));
  await Promise.all([...publishers.map((publisher) => publisher.stop()), retained.stop()]);
  // a last message of each lane, behind which nothing of it is due
  for (const { lanes, one } of publishers.map((p) => ({ lanes: p.lanes, one: p.one.bind(p) }))) {
    for (const lane of lanes) await one(lane);
  }
  for (const client of clients.values()) client.isLazy = false;
  const unreleased = () => [...clients.values()].reduce((sum, c) => sum + c.unreleased, 0);
  const what = () => `${ledger.missing} messages, ${unreleased()} PUBREL: ${some(ledger.report())}`;
  // as long as anything comes it is not lost; counting takes too long to be done at every arrival
  for (let left = ledger.missing; left > 0; left = ledger.missing) {
    const enough = world.received + left;
    for (let before = world.received; before < enough; before = world.received) {
      await waitFor(() => world.received > before, { timeout: 30_000, what });
    }
  }
  await waitFor(() => unreleased() === 0, { timeout: 30_000, what });
  const { fired, due: dueWills, outlived } = await wills.settle();
  expect({ fired, outlived }).toEqual({ fired: dueWills, outlived: [] });
  const changed = await world.changes.settle();
  expect(changed.received).toEqual(changed.due);
}

function some({ lost }: LedgerReport): string {
  return JSON.stringify(lost.slice(0, 20));
}

async function check(world: World): Promise<void> {
  const { ledger, history, broker, retained, lanes, clients } = world;
  const { lost, duplicated, outOfOrder, unexpected, ...sums } = ledger.report();
  const laneOf = new Map(lanes.map((lane) => [lane.name, lane]));
  const resumed = [...clients.values()].reduce((sum, client) => sum + client.resumed, 0);
  const twice = duplicated.filter(({ subscriber, publisher }) => {
    const { qos, topic } = laneOf.get(publisher) as Lane;
    return qos !== 1 && Math.min(qos, qosAt(subscriber, topic)) !== 1;
  });
  // members of a group have their messages in no common order
  const disordered = outOfOrder.filter(({ subscriber }) => subscriber !== "group");
  console.log("kill loop:", { ...sums, duplicated: duplicated.length, resumed });
  expect({ lost, twice, disordered, unexpected }).toEqual({
    lost: [],
    twice: [],
    disordered: [],
    unexpected: [],
  });
  expect(history.violations).toEqual([]);
  const late = await RawClient.connected(broker.tcp, { clientId: "late" });
  expect(await retained.problems(late)).toEqual([]);
  expect(complaints(broker)).toEqual([]);
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
}

function qosAt(subscriber: string, topic: string): number {
  if (subscriber === "js-sub-4") return 1;
  return subscribers.find(({ name }) => name === subscriber)?.qos(topic) ?? 2;
}
