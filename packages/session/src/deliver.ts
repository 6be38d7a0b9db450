/** Deliveries that have a packet identifier and are not finished. */
import { addDone, isOwnQueue } from "./done.ts";
import type { DeliveryChanges, Unfinished } from "./port.ts";
import { moveRetained } from "./retained.ts";
import type { Session } from "./session.ts";
import type { Tables } from "./tables.ts";

/** Returns for how many the opening was the present one. */
export function deliveries(tables: Tables, batch: readonly DeliveryChanges[]): number {
  let count = 0;
  for (const changes of batch) {
    const session = tables.held(changes.incarnation, changes.epoch);
    if (session === undefined) continue;
    tables.change(session);
    for (const packetId of changes.completed) complete(session, packetId);
    for (const packetId of changes.received) receive(session, packetId);
    for (const entry of changes.assigned) assign(tables, session, entry);
    moveRetained(tables, session, changes.retainedAfter);
    addReceiptShards(session, changes.receiptShards ?? []);
    if (session.unfinished?.size === 0) session.unfinished = undefined;
    count++;
  }
  return count;
}

function addReceiptShards(session: Session, shards: readonly number[]): void {
  if (shards.length === 0) return;
  setReceiptShards(session, [...(session.receiptShards ?? []), ...shards]);
}

export function setReceiptShards(session: Session, shards: readonly number[]): void {
  const sorted = [...new Set(shards)].sort((a, b) => a - b);
  session.receiptShards = sorted.length === 0 ? undefined : sorted;
}

/** The identifier is free and the offset finished in one step: neither is ever seen alone. */
function complete(session: Session, packetId: number): void {
  const entry = session.unfinished?.get(packetId);
  if (entry === undefined) return;
  session.unfinished?.delete(packetId);
  // What is finished in a shared subscription's queue is kept in the shard.
  if (isOwnQueue(entry)) addDone(session, entry.shard, entry.offset);
}

/** [MQTT-4.3.3-6] From here on it is PUBREL that is owed, never the PUBLISH again. */
function receive(session: Session, packetId: number): void {
  const entry = session.unfinished?.get(packetId);
  if (entry === undefined || entry.qos !== 2 || entry.received) return;
  session.unfinished?.set(packetId, { ...entry, received: true });
}

function assign(tables: Tables, session: Session, entry: Unfinished): void {
  session.unfinished ??= new Map();
  // Removed first, so that it comes last in the order. What was there is a QoS 1 delivery whose
  // acknowledgement is not told: the identifier could not be used again otherwise.
  session.unfinished.delete(entry.packetId);
  // The name is kept once, by the filter.
  const queue = tables.filters.get(entry.queue)?.name ?? entry.queue;
  session.unfinished.set(entry.packetId, { ...entry, queue });
}
