import { setImmediate as turn } from "node:timers/promises";
import { type Random, randomInt } from "@canopy/base";
import { type Broker, startBroker, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Account } from "./crash/flood/account.ts";
import type { LinkOptions } from "./crash/flood/link.ts";
import { FloodPublisher } from "./crash/flood/publisher.ts";
import { FloodSubscriber } from "./crash/flood/subscriber.ts";
import { type Plan, planned } from "./crash/plan.ts";

const TOPICS = 8;
/** Of each QoS. */
const PUBLISHERS = 12;
/** The smallest and the largest. */
const WINDOWS = [50, 250] as const;
/** In a round, at least so many messages are acknowledged and reach each subscriber. */
const LEAST = 5000;
/** At a kill, at least so many are not acknowledged. */
const LEAST_UNACKNOWLEDGED = 300;
/** After so many rounds all that is due must have come, so that long runs stay small. */
const ROUNDS = 6;

interface Limits {
  readonly settings: Readonly<Record<string, string | number>>;
  /** The limits of queues drop messages, all but the last ones. */
  readonly drop: boolean;
}

/** Subscribers that are behind may be far behind; what the bounds of a queue drop is not lost. */
const NO_LIMITS: Limits = {
  settings: { "limits.maxQueuedMessages": 100_000_000, "limits.maxQueuedBytes": "100GiB" },
  drop: false,
};
/** So low that everybody who is behind is given less than all in every round. */
const LOW_LIMITS: Limits = { settings: { "limits.maxQueuedMessages": 1500 }, drop: true };

interface World {
  readonly limits: Limits;
  readonly broker: Broker;
  readonly plan: Plan;
  readonly account: Account;
  readonly publishers: readonly FloodPublisher[];
  readonly subscribers: readonly FloodSubscriber[];
  readonly away: FloodSubscriber;
}

const cases: readonly [name: string, limits: Limits][] = [
  ["loses nothing acknowledged, repeats nothing at QoS 2, keeps the order", NO_LIMITS],
  ["[MQTT-4.6.0-5] does not bring back behind later messages what limits drop", LOW_LIMITS],
];

test.each(cases)("kill -9 at full load %s", { timeout: 3_600_000 }, async (_name, limits) => {
  const plan = planned("saturation", ROUNDS);
  const world = await build(plan, limits);
  const { broker, account, publishers, away } = world;
  try {
    for (let round = 1; round <= plan.rounds; round++) {
      for (const publisher of publishers) publisher.start();
      await (round % 2 === 1 ? away.leave() : away.stay());
      await saturated(world, LEAST + randomInt(plan.random, LEAST));
      account.mayRepeat = true;
      await broker.kill9();
      expect(await unacknowledged(world)).toBeGreaterThan(LEAST_UNACKNOWLEDGED);
      await broker.start();
      if (round % ROUNDS === 0 || round === plan.rounds) await settle(world);
      expect(account.faults).toEqual([]);
    }
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
  } catch (error) {
    throw new Error(`CANOPY_CRASH_SEED=${plan.seed}`, { cause: error });
  }
});

async function build(plan: Plan, limits: Limits): Promise<World> {
  const scope = testScope();
  const broker = await startBroker({ timeout: 30_000, set: limits.settings }, scope);
  const account = new Account();
  account.mayDrop = limits.drop;
  const options = (clientId: string): LinkOptions => ({
    clientId,
    address: () => broker.tcp,
    account,
    scope,
  });
  const publishers = Array.from({ length: 2 * PUBLISHERS }, (_, i) => {
    const lane = account.lane(`s/${i % TOPICS}`, i % 2 === 0 ? 1 : 2);
    const window = WINDOWS[0] + randomInt(plan.random, WINDOWS[1] - WINDOWS[0]);
    return new FloodPublisher(options(`publisher-${i}`), lane, window);
  });
  await Promise.all(publishers.map((publisher) => publisher.stay()));
  const subscriber = async (name: string, receiver: string, filter: string) => {
    const client = new FloodSubscriber(options(name), receiver);
    await client.stay();
    await client.subscribe(filter, 2);
    return client;
  };
  for (const name of ["all", "each", "away"]) account.receiver(name, true);
  account.receiver("group", false);
  const subscribers = [
    await subscriber("all", "all", "s/#"),
    await subscriber("each", "each", "s/+"),
    await subscriber("member-1", "group", "$share/group/s/#"),
    await subscriber("member-2", "group", "$share/group/s/#"),
  ];
  const away = await subscriber("away", "away", "+/#");
  return { limits, broker, plan, account, publishers, subscribers, away };
}

/**
 * Settles in the midst of full load, when so many more messages have been acknowledged and have come
 * to everybody who is there.
 */
async function saturated(world: World, messages: number): Promise<void> {
  const { account, subscribers, plan } = world;
  const names = [...new Set(subscribers.map(({ receiver }) => receiver))];
  const counts = () => [account.acknowledged, ...names.map((name) => account.received(name))];
  const wanted = counts().map((count) => count + messages);
  const isThrough = () => counts().every((count, i) => count >= (wanted[i] ?? 0));
  const end = performance.now() + 60_000;
  while (!isThrough()) {
    if (performance.now() > end) throw new Error(`${counts().join()} instead of ${wanted.join()}`);
    await turn();
  }
  await someTurns(plan.random);
}

async function someTurns(random: Random): Promise<void> {
  for (let turns = randomInt(random, 20); turns > 0; turns--) await turn();
}

/** What the broker has left unacknowledged when everything that it sent has been read. */
async function unacknowledged({ publishers }: World): Promise<number> {
  await waitFor(() => publishers.every(({ isOpen }) => !isOpen), { timeout: 30_000 });
  return publishers.reduce((sum, publisher) => sum + publisher.unacknowledged, 0);
}

/** Everything comes back, and everything that is due arrives. */
async function settle(world: World): Promise<void> {
  const { account, publishers, subscribers, away, limits } = world;
  for (const publisher of publishers) publisher.stop();
  await away.stay();
  const left = () => publishers.reduce((sum, { unfinished }) => sum + unfinished, 0);
  await waitFor(() => left() === 0, { timeout: 60_000, what: () => `${left()} answers` });
  if (limits.drop) for (const publisher of publishers) publisher.one();
  // all is acknowledged now, so all has to come; as long as anything comes it is not lost
  const due = () => (limits.drop ? account.missingLast : account.missing);
  for (let before = due(); before > 0; before = due()) {
    const missing = before;
    await waitFor(() => due() < missing, {
      timeout: 30_000,
      what: () => account.describeMissing().join("\n"),
    });
  }
  const unreleased = () =>
    [...subscribers, away].reduce((sum, client) => sum + client.unreleased, 0);
  await waitFor(() => unreleased() === 0, {
    timeout: 30_000,
    what: () => `${unreleased()} PUBREL`,
  });
  const { published, repeated, missing } = account;
  console.log("saturation:", { published, repeated, dropped: missing });
  expect(missing > 0).toBe(limits.drop);
}
