import type { Connect, PublishView, ServerPacket, SubscriptionRequest } from "@canopy/codec";
import type { Topic } from "@canopy/topic";
import type { Delivery } from "./delivery.ts";

/** A filter that may be subscribed, with what is granted. */
export interface GrantedSubscription extends SubscriptionRequest {
  /** The group's name of a shared subscription. */
  readonly share: string | undefined;
  /** The filter without `$share/…/`. */
  readonly plainFilter: string;
  /** 0 = none. */
  readonly subscriptionIdentifier: number;
}

/** What is to be opened, after authentication. */
export interface OpenSession {
  readonly connect: Connect;
  /** As sent, or assigned. */
  readonly clientId: string;
  readonly cleanStart: boolean;
  /** Seconds; 0 = transient. */
  readonly expiry: number;
}

/** What became of the session, told to `Connection.opened`. */
export interface OpenedSession {
  readonly sessionPresent: boolean;
}

/** Why a connection ends. */
export interface Ending {
  /** MQTT 5 reason code, also where the client speaks v3 (for logs and counters). */
  readonly reasonCode: number;
  readonly text: string;
  /** Who decided it. */
  readonly by: "client" | "server" | "network";
  readonly will: "publish" | "drop";
  /** Session Expiry Interval sent in DISCONNECT. */
  readonly expiry: number | undefined;
}

/**
 * What a connection asks for. Calls come in the order in which they are to be done; none of them
 * may call back into the connection before it returns, but for those that say so.
 */
export interface Effects<S> {
  /** Puts a packet behind everything written so far. */
  send(packet: ServerPacket): void;
  /** The same for an acknowledgement with nothing but a reason code. */
  ack(type: 4 | 5 | 6 | 7, packetId: number, reasonCode: number): void;
  /** The topic of these bytes; undefined if they are not a valid topic name. */
  intern(buffer: Buffer, start: number, end: number): Topic | undefined;
  /** Whether the client may publish to this topic: 0, or the reason code against it. */
  mayPublish(topic: Topic, qos: 0 | 1 | 2, retain: boolean): number;
  /** Whether the client may subscribe: 0, or the reason code against it. */
  maySubscribe(subscription: GrantedSubscription): number;
  /** Into this turn's batch. Answered by `Connection.answered` with the slot; -1 wants no answer. */
  publish(view: PublishView, topic: Topic, slot: number): void;
  /** A name for a client that has none. */
  assignClientId(): string;
  /** Settled by `Connection.authenticated` or `Connection.refused`, also within the call. */
  authenticate(connect: Connect, clientId: string): void;
  /** One step of enhanced authentication. `first` begins one, with `again` a re-authentication. */
  exchange(method: string, data: Uint8Array | undefined, first: boolean, again: boolean): void;
  /** Whether the will may be published: 0, or the reason code against it. */
  mayLeaveWill(connect: Connect): number;
  /** Settled by `Connection.opened` or `Connection.refused`. */
  open(request: OpenSession): void;
  /** CONNACK is sent: deliveries may begin. */
  started(): void;
  /** Settled by `Connection.subscribed`. Granted ones only. */
  subscribe(
    subscriptions: readonly GrantedSubscription[],
    settle: (codes: readonly number[]) => void,
  ): void;
  /** Settled with one reason code per filter. */
  unsubscribe(filters: readonly string[], settle: (codes: readonly number[]) => void): void;
  /** How many subscriptions the session has. */
  subscriptionCount(): number;
  hasSubscription(filter: string): boolean;
  /** Removes the receipt of a QoS 2 message; settled by `Connection.forgotten`. */
  forget(packetId: number): void;
  /** PUBACK came, or an error PUBREC: the delivery is out of the window. */
  finished(delivery: Delivery<S>, reasonCode: number): void;
  /** PUBREC came; `Connection.release` sends the PUBREL when that is safe. */
  received(delivery: Delivery<S>): void;
  /** PUBCOMP came; the delivery leaves the window when the effect removes it. */
  completed(delivery: Delivery<S>): void;
  /**
   * Decoding and reading wait (for the answer to CONNECT; as flow control in v3), or go on. Packets
   * that have come already may be given to the connection within the call that lets them go on: it
   * is the last effect of whatever it belongs to.
   */
  hold(on: boolean): void;
  /** Keep alive in milliseconds until a silent client is given up; 0 = never. */
  keepAlive(timeoutMs: number): void;
  /** The connection is over: flush, close the socket, release the session. */
  end(ending: Ending): void;
  /** Something that the client did was refused without an answer on the wire. */
  dropped(reason: "topic" | "not-authorized" | "payload-format"): void;
}
