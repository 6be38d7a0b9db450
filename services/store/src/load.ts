import type { Parts } from "./parts.ts";
import { WILL_KEYS } from "./receipts.ts";
import type { Shard } from "./shard.ts";

export type LoadParts = Pick<Parts, "options" | "shares" | "routes" | "removals" | "groups">;

/** So many small reads are under way at once while a shard starts. */
const AT_ONCE = 64;

const NOTHING_ARRIVED = { arrived: 0, arrivedBytes: 0 };

/**
 * Brings what is known of a shard in memory up to what is on its disk. All routes have to be known.
 * Done again after it has failed.
 */
export async function loadShard(parts: LoadParts, shard: Shard): Promise<void> {
  const store = shard.owner.require();
  for (const stat of await store.stats()) {
    shard.queues.learn(stat, NOTHING_ARRIVED);
    // A session went while this shard's owner was away.
    if (!parts.routes.has(stat.queue)) parts.removals.remove(stat.queue);
  }
  await restoreGroups(parts, shard);
  const sessions = await shard.receipts.load(store);
  try {
    await dropDeadReceipts(parts, shard, sessions);
  } catch (error) {
    // They do no harm, and are found at the next opening.
    const { logger } = parts.options;
    logger.warn({ err: error, shard: shard.number }, "receipts of ended sessions stay");
  }
}

async function restoreGroups(parts: LoadParts, shard: Shard): Promise<void> {
  const store = shard.owner.require();
  parts.shares.dropReaders(shard.number);
  const names = [...parts.shares.groups]
    .filter((group) => group.queue !== undefined)
    .map(({ name }) => name);
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    const asked = some.map((filter) => ({ filter, shard: shard.number }));
    const kept = await parts.groups.sharedUnfinished(asked);
    await Promise.all(
      some.map((name, i) =>
        parts.shares.restore(name, store, {
          kept: kept[i] ?? [],
          hasQueue: shard.queues.has(name),
        }),
      ),
    );
  }
}

/**
 * Sessions may have ended while nobody could be told. Receipts of their wills stay until
 * sessionsEnded: a will can be on its way when its session is gone.
 */
async function dropDeadReceipts(
  parts: LoadParts,
  { sideWrites, owner }: Shard,
  sessions: readonly number[],
): Promise<void> {
  const live = await parts.groups.areLive(sessions);
  const forgotten: Promise<void>[] = [];
  for (const [i, session] of sessions.entries()) {
    if (live[i]) continue;
    for (const key of await owner.require().receipts(session)) {
      if (key < WILL_KEYS) forgotten.push(sideWrites.forget(session, key));
    }
  }
  await Promise.all(forgotten);
}
