/** What the shards' owners ask. */
import type { Unfinished } from "./port.ts";
import type { HeldSubscription } from "./session.ts";
import type { Tables } from "./tables.ts";

/** Filters that some session has with a queue. */
export function routes(tables: Tables): string[] {
  const names: string[] = [];
  for (const filter of tables.filters.values()) if (filter.queued > 0) names.push(filter.name);
  return names;
}

/** See SessionQueries.lowest. */
export function lowest(tables: Tables, name: string, shard: number): number | undefined {
  const filter = tables.filters.get(name);
  if (filter === undefined || filter.queued === 0) return undefined;
  let low = Number.MAX_SAFE_INTEGER;
  for (const held of filter.members) {
    if (!held.queued) continue;
    if (!filter.shared) low = Math.min(low, position(held, shard));
    for (const entry of held.session.unfinished?.values() ?? []) {
      if (!isFrom(entry, name, shard)) continue;
      // A shared subscription's message is a session's own only at QoS 2 [MQTT-4.8.2-4].
      if (entry.qos === 2 || !filter.shared) low = Math.min(low, entry.offset - 1);
    }
  }
  return low;
}

function position(held: HeldSubscription, shard: number): number {
  return Math.max(held.session.cursors[shard] ?? 0, held.starts[shard] ?? 0);
}

function isFrom(entry: Unfinished, queue: string, shard: number): boolean {
  return entry.source === "queue" && entry.shard === shard && entry.queue === queue;
}

/** Offsets of QoS 2 deliveries from that queue, ascending. */
export function sharedUnfinished(tables: Tables, name: string, shard: number): number[] {
  const offsets: number[] = [];
  for (const held of tables.filters.get(name)?.members ?? []) {
    for (const entry of held.session.unfinished?.values() ?? []) {
      if (entry.qos === 2 && isFrom(entry, name, shard)) offsets.push(entry.offset);
    }
  }
  return offsets.sort((a, b) => a - b);
}
