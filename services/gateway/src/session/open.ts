import { encodeRecord, REASON, type Will } from "@canopy/codec";
import type { OpenSession } from "@canopy/connection";
import { type Opened, type OpenRequest, SessionError, type SessionWill } from "@canopy/session";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import { giveBack, withdraw } from "./release.ts";

const WILL_KEY = 65_536;

/** Claims the client id and opens its session; CONNACK follows. */
export function openSession(gateway: Gateway, client: Client, request: OpenSession): void {
  if (refuseBanned(gateway, client)) return;
  open(gateway, client, request).catch((error: unknown) => {
    if (!client.ended) refuse(gateway, client, error);
  });
}

async function open(gateway: Gateway, client: Client, request: OpenSession): Promise<void> {
  const { connect, clientId, cleanStart, expiry } = request;
  const asked: OpenRequest = {
    clientId,
    gateway: gateway.incarnation,
    requestId: gateway.nextOpen(),
    cleanStart,
    expiry,
    will: connect.will === undefined ? undefined : willOf(gateway, client, connect.will),
    user: client.identity.user,
  };
  const opened = await ask(gateway, client, asked);
  client.incarnation = opened.incarnation;
  client.epoch = opened.epoch;
  client.durable = expiry > 0 || opened.subscriptions.length > 0;
  if (client.ended) {
    // it went away before it was told: its session goes back, without its new will
    giveBack(gateway, client);
    return;
  }
  gateway.clientOpened(client);
  if (opened.sessionPresent) await restore(gateway, client, opened);
  client.committedReceiptShards = opened.receiptShards;
  // or banned meanwhile
  if (client.ended || refuseBanned(gateway, client)) return;
  client.connection.opened({ sessionPresent: opened.sessionPresent });
}

/** Bans have changed: who is connected, and may not be any more, is sent away (0x98). */
export function enforceBans(gateway: Gateway): void {
  for (const client of gateway.clients) {
    if (client.ended || client.incarnation === 0) continue;
    const why = whyBanned(gateway, client);
    if (why !== undefined) client.stop(REASON.administrativeAction, why);
  }
}

/** Why this client may not be connected; undefined: it may. */
function whyBanned(gateway: Gateway, client: Client): string | undefined {
  const { clientId } = client.connection;
  const { address, identity } = client;
  return gateway.whyBanned?.({ clientId, user: identity.user, address });
}

function refuseBanned(gateway: Gateway, client: Client): boolean {
  const why = whyBanned(gateway, client);
  if (why !== undefined) client.connection.refused(REASON.banned, why);
  return why !== undefined;
}

async function ask(gateway: Gateway, client: Client, asked: OpenRequest): Promise<Opened> {
  try {
    return await gateway.sessions.open(asked);
  } catch (error) {
    if (error instanceof SessionError && error.code === "indeterminate") {
      withdraw(gateway, client, asked);
    }
    throw error;
  }
}

async function restore(gateway: Gateway, client: Client, opened: Opened): Promise<void> {
  client.subscriptions.restore(opened);
  const { incarnation, receiptShards } = opened;
  // no other shard has any: one that nobody owns now holds up only those that have
  if (receiptShards.length === 0) return;
  const receipts = await gateway.shards.receipts(incarnation, receiptShards);
  const ids: number[] = [];
  for (const { shard, key } of receipts) {
    if (key >= WILL_KEY) continue;
    client.receiptShards.set(key, shard);
    ids.push(key);
  }
  client.connection.restoreInbound(ids);
}

/** The will as the message that it may become; its times are set when it does. */
function willOf(gateway: Gateway, client: Client, will: Will): SessionWill | undefined {
  const topic = gateway.topics.internString(will.topic);
  if (topic === undefined) return undefined;
  const record = encodeRecord({
    topic,
    payload: will.payload,
    qos: will.qos,
    retain: will.retain,
    properties: will.properties,
    utf8Payload: will.utf8Payload,
    clientId: client.clientIdBytes,
    acceptedAt: gateway.clock.wall(),
  });
  return { record, delay: will.delay, expiry: will.expiry };
}

function refuse(gateway: Gateway, client: Client, error: unknown): void {
  if (error instanceof SessionError && error.code === "taken-over") {
    client.connection.refused(REASON.sessionTakenOver, "a later connection has this client id");
  } else if (error instanceof SessionError && error.code === "overloaded") {
    client.connection.refused(REASON.serverBusy, "too many connections at once; try again later");
  } else {
    gateway.logger.warn(
      { error, clientId: client.connection.clientId },
      "a session can't be opened",
    );
    client.connection.refused(REASON.serverUnavailable, "sessions can't be opened now");
  }
}
