import type { Parts } from "./compose.ts";
import { WILL_KEYS } from "./receipts.ts";
import type { Shard } from "./shard.ts";
import { isShared } from "./share/name.ts";

/** So many small reads are under way at once while a shard starts. */
const AT_ONCE = 64;

const NOTHING_ARRIVED = { arrived: 0, arrivedBytes: 0 };

/** Opens all shards, and brings what is known of them in memory up to what is on disk. */
export async function openShards(parts: Parts): Promise<void> {
  await Promise.all(parts.shards.map((shard) => shard.owner.open()));
  const routes = await parts.options.queries().routes(0);
  await parts.routes.load(routes);
  await Promise.all(parts.shards.map((shard) => loadShard(parts, shard, routes.filters)));
  parts.started.resolve();
}

async function loadShard(parts: Parts, shard: Shard, routes: readonly string[]): Promise<void> {
  const store = shard.owner.require();
  for (const stat of await store.stats()) {
    shard.queues.learn(stat, NOTHING_ARRIVED);
    // A session went while this shard's owner was away.
    if (!parts.routes.has(stat.queue)) parts.removals.remove(stat.queue);
  }
  const shared = routes.filter(isShared);
  for (let at = 0; at < shared.length; at += AT_ONCE) {
    const some = shared.slice(at, at + AT_ONCE);
    const asked = some.map((filter) => ({ filter, shard: shard.number }));
    const kept = await parts.options.queries().sharedUnfinished(asked);
    await Promise.all(
      some.map((name, i) =>
        parts.shares.restore(name, store, {
          kept: kept[i] ?? [],
          hasQueue: shard.queues.has(name),
        }),
      ),
    );
  }
  await dropDeadReceipts(parts, shard);
}

/**
 * Sessions may have ended while nobody could be told. Receipts of their wills stay until
 * sessionsEnded: a will can be on its way when its session is gone.
 */
async function dropDeadReceipts(parts: Parts, shard: Shard): Promise<void> {
  const { receipts, sideWrites, owner } = shard;
  const sessions = await receipts.load(owner.require());
  const live = await parts.options.queries().areLive(sessions);
  const forgotten: Promise<void>[] = [];
  for (const [i, session] of sessions.entries()) {
    if (live[i]) continue;
    for (const key of await owner.require().receipts(session)) {
      if (key < WILL_KEYS) forgotten.push(sideWrites.forget(session, key));
    }
  }
  await Promise.all(forgotten);
}
