import { randomInt } from "@canopy/base";
import { Ledger, startBroker, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { History } from "./crash/history.ts";
import { planned } from "./crash/plan.ts";
import { Publisher, rawSender } from "./crash/publisher.ts";
import { SessionClient } from "./crash/session-client.ts";

const SERVER_SHUTTING_DOWN = 0x8b;

test("SIGTERM under load says goodbye, ends in time and loses nothing that was acknowledged", {
  timeout: 3_600_000,
}, async () => {
  const { random, rounds, seed } = planned("shutdown", 5);
  const scope = testScope();
  const broker = await startBroker({ timeout: 30_000 }, scope);
  const [history, ledger] = [new History(), new Ledger()];
  const clients: SessionClient[] = [];
  const open = async (clientId: string, isSubscriber: boolean): Promise<SessionClient> => {
    const client = new SessionClient({
      clientId,
      address: () => broker.tcp,
      history,
      random,
      scope,
      isLazy: isSubscriber,
      ...(isSubscriber && { received: ({ payload }) => ledger.receive(clientId, payload) }),
    });
    clients.push(client);
    await client.stay();
    return client;
  };
  for (const clientId of ["s1", "s2", "s3"]) {
    ledger.subscribe(clientId);
    await (await open(clientId, true)).subscribe([{ filter: "t/#", qos: 2 }]);
  }
  let acknowledged = 0;
  const publishers: Publisher[] = [];
  for (const name of ["p1", "p2", "p3"]) {
    const lanes = ([1, 2] as const).map((qos) => {
      return { name: `${name}:${qos}`, topic: `t/${name}`, qos };
    });
    const sender = rawSender(await open(name, false));
    publishers.push(new Publisher(sender, lanes, ledger, () => void acknowledged++));
  }
  for (const publisher of publishers) publisher.start();
  try {
    for (let round = 0; round < rounds; round++) {
      const wanted = acknowledged + randomInt(random, 3000);
      await waitFor(() => acknowledged >= wanted && clients.every(({ isOpen }) => isOpen));
      const began = performance.now();
      expect(await broker.stop()).toEqual({ code: 0, signal: null });
      const took = performance.now() - began;
      expect(took).toBeLessThan(10_000);
      expect(broker.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
      expect(broker.stderr).toEqual([]);
      await waitFor(() => clients.every(({ isOpen }) => !isOpen));
      expect(clients.map(({ disconnected }) => disconnected)).toEqual(
        clients.map(() => SERVER_SHUTTING_DOWN),
      );
      console.log(`shutdown ${round}: ${took.toFixed(0)} ms`);
      await broker.start();
    }
    await Promise.all(publishers.map((publisher) => publisher.stop()));
    for (const client of clients) client.isLazy = false;
    await waitFor(() => ledger.missing === 0, {
      timeout: 30_000,
      what: () => `${ledger.missing} messages`,
    });
    const { lost, duplicated, outOfOrder, unexpected } = ledger.report();
    const twice = duplicated.filter(({ publisher }) => publisher.endsWith(":2"));
    expect({ lost, twice, outOfOrder, unexpected }).toEqual({
      lost: [],
      twice: [],
      outOfOrder: [],
      unexpected: [],
    });
    expect(history.violations).toEqual([]);
  } catch (error) {
    throw new Error(`seed ${seed}, see ${history.write(`shutdown-${seed}`)}`, { cause: error });
  }
});
