import { testScope, waitFor } from "@canopy/testkit";
import { expect } from "vitest";
import {
  EXPIRY_NEVER,
  type GatewayPeer,
  type NewSubscription,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type SessionErrorCode,
  type Sessions,
  type SubscribeRequest,
} from "../port.ts";
import type { FakeStores } from "./stores.ts";

/** The suite's cluster has so many shards, all owned by one store process. */
export const SHARDS = 4;

/** What an implementation hands to the suite: one cluster, empty at first. */
export interface SessionsHarness {
  /** The only store process. */
  readonly stores: FakeStores;
  /** A new gateway's life, attached; its port and its incarnation. */
  gateway(
    peer: GatewayPeer,
  ): Promise<{ readonly sessions: Sessions; readonly incarnation: number }>;
  /** The gateway's lease has ended, and every store process knows it. */
  end(gateway: number): Promise<void>;
  /** The groups' own clock goes on by so many ms. */
  pass(ms: number): void;
  /** A record of a message to some topic, and its payload. */
  record(text: string): Uint8Array;
  text(record: Uint8Array): string;
  stop(): Promise<void>;
}

export type MakeHarness = () => Promise<SessionsHarness>;

/** A gateway that writes down what it is asked, and does it only where it is told. */
export class TestGateway implements GatewayPeer {
  readonly stops: { incarnation: number; epoch: number; reason: string }[] = [];
  sessions!: Sessions;
  incarnation = 0;
  #requests = 0;

  stop(incarnation: number, epoch: number, reason: "taken-over" | "deleted"): void {
    this.stops.push({ incarnation, epoch, reason });
  }

  request(changes: Partial<OpenRequest> = {}): OpenRequest {
    return {
      clientId: "client",
      gateway: this.incarnation,
      requestId: ++this.#requests,
      cleanStart: false,
      expiry: EXPIRY_NEVER,
      will: undefined,
      user: undefined,
      ...changes,
    };
  }

  open(changes: Partial<OpenRequest> = {}): Promise<Opened> {
    return this.sessions.open(this.request(changes));
  }

  release(opened: Opened, changes: Partial<ReleaseRequest> = {}): Promise<void> {
    return this.sessions.release({
      ...progressOf(opened),
      will: "publish",
      expiry: undefined,
      unfinished: [],
      ...changes,
    });
  }
}

export interface World {
  readonly harness: SessionsHarness;
  readonly stores: FakeStores;
  readonly gateway: TestGateway;
  /** Another one. */
  attach(): Promise<TestGateway>;
}

/** With one gateway; it ends with the test. */
export async function world(makeHarness: MakeHarness): Promise<World> {
  const harness = await makeHarness();
  testScope().defer(() => harness.stop());
  const attach = async (): Promise<TestGateway> => {
    const gateway = new TestGateway();
    const { sessions, incarnation } = await harness.gateway(gateway);
    gateway.sessions = sessions;
    gateway.incarnation = incarnation;
    return gateway;
  };
  return { harness, stores: harness.stores, gateway: await attach(), attach };
}

export function progressOf(opened: Opened, changes: Partial<Progress> = {}): Progress {
  const { incarnation, epoch } = opened;
  const nothing = { cursors: [], done: [], drained: [], retainedAfter: [], retainedSent: [] };
  return { incarnation, epoch, ...nothing, ...changes };
}

export function subscribeTo(
  opened: Opened,
  ...filters: readonly (string | Partial<NewSubscription>)[]
): SubscribeRequest {
  const { incarnation, epoch } = opened;
  const subscriptions = filters.map((changes) => ({
    filter: "f",
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
    subscriptionIdentifier: 0,
    sendRetained: false,
    ...(typeof changes === "string" ? { filter: changes } : changes),
  }));
  return { incarnation, epoch, subscriptions };
}

/** It is refused with this code. */
export async function refused(promise: Promise<unknown>, code: SessionErrorCode): Promise<void> {
  await expect(promise).rejects.toMatchObject({ name: "SessionError", code });
}

/** Goes on in time until it holds. */
export async function until(
  { harness }: World,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  await waitFor(() => {
    harness.pass(20);
    return condition();
  });
}
