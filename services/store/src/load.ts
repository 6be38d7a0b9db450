import type { Parts } from "./parts.ts";
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
  const ended = await endedOf(parts, shard, sessions);
  try {
    await dropReceipts(shard, new Set([...ended, ...shard.receipts.loaded()]));
  } catch (error) {
    report(parts, shard, error);
  }
}

/** They do no harm, and are found at the next opening. */
function report({ options }: LoadParts, { number }: Shard, error: unknown): void {
  options.logger.warn({ err: error, shard: number }, "receipts of ended sessions stay");
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
 * Sessions may have ended while nobody could be told, and their wills be done: a session is kept until
 * they are.
 */
async function endedOf(
  parts: LoadParts,
  shard: Shard,
  sessions: readonly number[],
): Promise<readonly number[]> {
  try {
    const kept = await parts.groups.areLive(sessions);
    return sessions.filter((_, i) => kept[i] !== true);
  } catch (error) {
    report(parts, shard, error);
    return [];
  }
}

async function dropReceipts(
  { sideWrites, receipts }: Shard,
  ended: ReadonlySet<number>,
): Promise<void> {
  const forgotten = Array.from(ended, async (session) => {
    if (!receipts.has(session)) return;
    await sideWrites.endSession(session);
    receipts.forgetSession(session);
  });
  await Promise.all(forgotten);
}
