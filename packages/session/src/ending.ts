/** How a connection's hold on a session, its will and the session itself end. */
import type { SessionKey } from "./commands.ts";
import { setReceiptShards } from "./deliver.ts";
import { dropFinished } from "./done.ts";
import { EXPIRY_NEVER, type ReleaseRequest, type Unfinished } from "./port.ts";
import { applyProgress } from "./progress.ts";
import type { Session } from "./session.ts";
import { sweepDraining } from "./subscribe.ts";
import { type Tables, willKey } from "./tables.ts";

/** False when this opening is not the present one any more. */
export function release(tables: Tables, request: ReleaseRequest): boolean {
  const session = tables.held(request.incarnation, request.epoch);
  if (session === undefined) return false;
  tables.change(session);
  applyProgress(tables, session, request);
  session.unfinished = releasedUnfinished(session, request.unfinished);
  if (request.receiptShards !== undefined) setReceiptShards(session, request.receiptShards);
  // [MQTT-3.14.4-3] A normal DISCONNECT drops the will.
  if (request.will === "drop") session.will = undefined;
  // 0 → more is a protocol error that the gateway has refused; here it would make a session
  // durable whose subscriptions are not in its state.
  if (request.expiry !== undefined && session.expiry !== 0) session.expiry = request.expiry;
  disconnect(tables, session);
  return true;
}

/**
 * The QoS 1 deliveries are those that the gateway names, the QoS 2 ones those that are known; the
 * order is the gateway's for those that it names, after the others [MQTT-4.6.0-1].
 */
function releasedUnfinished(
  session: Session,
  named: readonly Unfinished[],
): Map<number, Unfinished> | undefined {
  const kept = new Map<number, Unfinished>();
  for (const entry of session.unfinished?.values() ?? []) {
    if (entry.qos === 2) kept.set(entry.packetId, entry);
  }
  for (const entry of named) {
    const known = kept.get(entry.packetId);
    if (known !== undefined) {
      kept.delete(entry.packetId);
      kept.set(entry.packetId, known);
    } else if (entry.qos === 1 && !entry.queue.startsWith("$share/")) {
      // Of a shared subscription another member gets what was not acknowledged (section 4.8.2).
      kept.set(entry.packetId, entry);
    }
  }
  return kept.size === 0 ? undefined : kept;
}

/** Returns how many sessions were still that gateway's. */
export function gatewayDown(
  tables: Tables,
  gateway: number,
  incarnations: readonly number[],
): number {
  let released = 0;
  for (const incarnation of incarnations) {
    const session = tables.sessions.get(incarnation);
    if (session === undefined || session.gateway !== gateway) continue;
    tables.change(session);
    dropFinished(session);
    disconnect(tables, session);
    released++;
  }
  return released;
}

/** The connection is gone: from here on the will's delay and the expiry run. */
function disconnect(tables: Tables, session: Session): void {
  tables.setGateway(session, 0);
  session.requestId = 0;
  sweepDraining(tables, session);
  if (session.expiry === 0) {
    end(tables, session);
  } else {
    const expiresAt = session.expiry === EXPIRY_NEVER ? 0 : tables.clock + session.expiry * 1000;
    tables.setDeadlines(session, startWill(tables, session), expiresAt);
  }
  tables.effects.released(session.clientId);
}

/** Publishes a will without a delay at once; returns when another one is due, 0 for none. */
function startWill(tables: Tables, session: Session): number {
  if (session.will === undefined) return 0;
  // The end of the session publishes it too, whichever comes first [MQTT-3.1.2-8].
  const delay = Math.min(session.will.delay, session.expiry);
  if (delay > 0) return tables.clock + delay * 1000;
  publishWill(tables, session);
  return 0;
}

/** Moves the will to those that are to be published; true if there was one. */
export function publishWill(tables: Tables, session: Session): boolean {
  const { will, incarnation, epoch } = session;
  if (will === undefined) return false;
  // [MQTT-3.1.2-10] Once published it is no part of the session any more.
  session.will = undefined;
  const pending = { incarnation, epoch, record: will.record, expiry: will.expiry };
  tables.wills.set(willKey(incarnation, epoch), pending);
  tables.effects.willPending(pending);
  return true;
}

/** The session ends [MQTT-4.1.0-2], and a will that has not been dropped is published [MQTT-3.1.2-8]. */
export function end(tables: Tables, session: Session): void {
  tables.change(session);
  const published = publishWill(tables, session);
  tables.remove(session);
  // Receipts of a transient session are its gateway's, but its will leaves one in a store.
  if (!session.durable && !published) return;
  tables.ended.set(session.incarnation, session.incarnation);
  tables.effects.ended(session.incarnation);
}

export function isExpired(tables: Tables, session: Session): boolean {
  return session.expiresAt !== 0 && session.expiresAt <= tables.clock;
}

export function isWillDue(tables: Tables, session: Session): boolean {
  return session.willAt !== 0 && session.willAt <= tables.clock;
}

export function expire(tables: Tables, sessions: readonly SessionKey[]): number {
  return forEachOpening(tables, sessions, (session) => {
    if (!isExpired(tables, session)) return false;
    end(tables, session);
    return true;
  });
}

export function fireWill(tables: Tables, sessions: readonly SessionKey[]): number {
  return forEachOpening(tables, sessions, (session) => {
    if (!isWillDue(tables, session)) return false;
    tables.change(session);
    publishWill(tables, session);
    tables.setDeadlines(session, 0, session.expiresAt);
    return true;
  });
}

/** Returns for how many of them something was done. */
function forEachOpening(
  tables: Tables,
  keys: readonly SessionKey[],
  act: (session: Session) => boolean,
): number {
  let count = 0;
  for (const { incarnation, epoch } of keys) {
    const session = tables.sessions.get(incarnation);
    if (session?.epoch === epoch && act(session)) count++;
  }
  return count;
}
