import { DELIVERY, type Ending } from "@canopy/connection";
import {
  type ReleaseRequest,
  SessionError,
  type Unfinished,
  type WithdrawRequest,
} from "@canopy/session";
import type { Client } from "../client.ts";
import { toUnfinished } from "../delivery/deliveries.ts";
import { allProgress } from "../delivery/progress.ts";
import type { Gateway } from "../gateway.ts";

const RETRY = 500;

/**
 * Gives the session back: first everything that this connection has under way is settled, then one
 * command says how far it came. Repeated until it is committed.
 */
export function releaseSession(gateway: Gateway, client: Client, ending: Ending): void {
  if (client.incarnation === 0) return; // it never had one; an open under way is undone when it ends
  gateway.releasing(client, release(gateway, client, ending));
}

/** Gives back a session with which nothing was done. Repeated until it is committed. */
export function giveBack(gateway: Gateway, client: Client): void {
  const request = untouched(client.incarnation, client.epoch);
  gateway.releasing(
    client,
    untilDone(gateway, () => gateway.sessions.release(request)),
  );
}

/** What an open without an answer may have opened is given back. Repeated until that is committed. */
export function withdraw(gateway: Gateway, client: Client, request: WithdrawRequest): void {
  gateway.releasing(
    client,
    untilDone(gateway, () => gateway.sessions.withdraw(request)),
  );
}

/**
 * The session service takes this gateway for the owner of a session that it was never told of: an
 * open whose answer was lost was applied after all. Not repeated, since it is asked again.
 */
export function notHere(gateway: Gateway, incarnation: number, epoch: number): void {
  gateway.sessions.release(untouched(incarnation, epoch)).catch((error: unknown) => {
    gateway.logger.warn({ error, incarnation }, "a session that is not here can't be released");
  });
}

/** Without its will: no connection was accepted with it. */
function untouched(incarnation: number, epoch: number): ReleaseRequest {
  const nothing = { cursors: [], done: [], drained: [], unfinished: [] };
  const retained = { retainedAfter: [], retainedSent: [] };
  return { incarnation, epoch, will: "drop", expiry: undefined, ...nothing, ...retained };
}

async function release(gateway: Gateway, client: Client, ending: Ending): Promise<void> {
  client.subscriptions.leave();
  // Not within what ended the connection: a message may be on its way to several clients there.
  await Promise.resolve();
  client.subscriptions.leaveShares("direct");
  await client.answered();
  await client.subscriptions.idle();
  if (client.durable) await gateway.deliveries.idle(client);
  client.subscriptions.leaveShares("all");
  gateway.progress.forget(client);
  const request: ReleaseRequest = {
    ...allProgress(client),
    will: ending.will,
    expiry: ending.expiry,
    unfinished: client.durable ? unfinished(client) : [],
    ...(client.committedReceiptShards && {
      receiptShards: [...new Set(client.receiptShards.values())],
    }),
  };
  client.outbox.clear();
  await untilDone(gateway, () => gateway.sessions.release(request));
  gateway.clientReleased(client);
}

async function untilDone(gateway: Gateway, release: () => Promise<void>): Promise<void> {
  while (!(await attempt(gateway, release))) await gateway.pause(RETRY);
}

async function attempt(gateway: Gateway, release: () => Promise<void>): Promise<boolean> {
  try {
    await release();
    return true;
  } catch (error) {
    if (gateway.stopped || (error instanceof SessionError && error.code === "closed")) return true;
    gateway.logger.warn({ error }, "a session can't be released; trying again");
    return false;
  }
}

/**
 * Deliveries in flight that can be sent again from the store, in their order. The session knows
 * those at QoS 2; of a shared subscription others get what is in flight at QoS 1.
 */
function unfinished(client: Client): Unfinished[] {
  const found: Unfinished[] = [];
  for (const delivery of client.connection.window.all()) {
    const { qos, offset, source, state } = delivery;
    if (offset === 0 || state === DELIVERY.finished || (qos === 1 && source.shared)) continue;
    found.push(toUnfinished(delivery));
  }
  return found;
}
