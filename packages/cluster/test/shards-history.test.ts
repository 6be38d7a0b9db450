import { describe, expect, test } from "vitest";
import { ModelCluster } from "./model/cluster.ts";
import type { ModelGateway, Sent } from "./model/gateway.ts";

const SUCCESS = 0x80;

/** What is wrong with what happened. */
function judge(cluster: ModelCluster): string[] {
  const found = [...cluster.complaints];
  const all = cluster.gateways.flatMap((gateway) => [...gateway.sent.values()]);
  const logged = cluster.disks.map(({ log }) => log.map(({ id }) => id));
  for (const [shard, ids] of logged.entries()) {
    if (new Set(ids).size < ids.length) found.push(`shard ${shard} stored something twice`);
    for (const { incarnation } of cluster.gateways) {
      const its = ids.filter((id) => Math.floor(id / 1_000_000) === incarnation);
      if (!ascends(its)) found.push(`shard ${shard} stored gateway ${incarnation} out of order`);
    }
  }
  for (const sent of all) found.push(...judgeOne(cluster, sent, logged[sent.shard] ?? []));
  const stored = new Set(logged.flat());
  for (const gateway of cluster.gateways) found.push(...judgeReceiver(gateway, all, stored));
  return found;
}

function judgeOne(cluster: ModelCluster, sent: Sent, logged: readonly number[]): string[] {
  const { id, qos, answer, receipt, isWithdrawn, shard, answeredAt } = sent;
  if (qos === 0) return logged.includes(id) ? [`${id} is of QoS 0, and was stored`] : [];
  if (answer === undefined) return [`${id} was never answered`];
  const place = cluster.disks[shard]?.log.find((one) => one.id === id);
  if (answer < SUCCESS) return place === undefined ? [`${id} was acknowledged and is lost`] : [];
  if (place === undefined) return [];
  if (isWithdrawn) {
    return place.epoch > answeredAt ? [`${id} was given away after it was withdrawn`] : [];
  }
  return receipt ? [`${id} of QoS 2 was refused and is stored`] : [];
}

function judgeReceiver(
  { received, incarnation }: ModelGateway,
  all: readonly Sent[],
  stored: ReadonlySet<number>,
): string[] {
  const found: string[] = [];
  for (const [shard, ids] of received.entries()) {
    if (ids === undefined) continue;
    const senders = new Set(ids.map((id) => Math.floor(id / 1_000_000)));
    for (const sender of senders) {
      const its = ids.filter((id) => Math.floor(id / 1_000_000) === sender);
      if (!ascends(its))
        found.push(`${incarnation} got those of ${sender} on ${shard} as ${its.join(" ")}`);
    }
  }
  const got = new Set(received.flat());
  for (const { id, qos, answer, receipt } of all) {
    // Its receipt answers for it, whoever asks.
    const isSafe = qos > 0 && (answer === 0 || (receipt && stored.has(id)));
    if (isSafe && !got.has(id)) found.push(`${incarnation} never got ${id}`);
  }
  return found;
}

/** Each above the one before: nothing out of order, nothing twice. */
function ascends(ids: readonly number[]): boolean {
  return ids.every((id, i) => i === 0 || id > (ids[i - 1] as number));
}

async function history(seed: number, steps: number, faults: number): Promise<ModelCluster> {
  const cluster = new ModelCluster(seed);
  await cluster.subscribe();
  await cluster.run(steps, { faults });
  await cluster.heal();
  return cluster;
}

describe("whatever happens to store processes and connections", () => {
  test("without faults every message is acknowledged, and comes once to everybody", async () => {
    const cluster = await history(1, 2_000, 0);
    expect(judge(cluster)).toEqual([]);
    expect(cluster.gateways.flatMap(({ received }) => received.flat()).length).toBeGreaterThan(900);
  });

  test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
    "nothing acknowledged is lost, nothing comes twice or out of order (seed %i)",
    async (seed) => {
      expect(judge(await history(seed, 600, 4))).toEqual([]);
    },
  );
});
