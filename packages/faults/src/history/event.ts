export type QoS = 0 | 1 | 2;

/**
 * What the clients did and saw, in the order in which it happened in this process: an event that
 * stands behind another one began when that one was known. `at` is in milliseconds since the
 * suite's start. A `connection` is a number that is never given twice.
 */
export type Event = { readonly at: number } & What;

export type What =
  | Connect
  | Connack
  | Subscribed
  | Sent
  | Acknowledged
  | Received
  | Leaving
  | Closed
  | Reading
  | Fault
  | Settled
  | Value
  | Violation;

/** CONNECT left. */
export interface Connect {
  readonly kind: "connect";
  readonly client: string;
  readonly connection: number;
  /** The process that it was sent to. */
  readonly gateway: string;
  readonly isDurable: boolean;
  readonly will?: WillOf;
}

export interface WillOf {
  /** Its payload, which no other will has. */
  readonly id: string;
  /** Will Delay Interval, seconds. */
  readonly delay: number;
}

export interface Connack {
  readonly kind: "connack";
  readonly client: string;
  readonly connection: number;
  readonly code: number;
  readonly isPresent: boolean;
}

/** SUBACK granted it. */
export interface Subscribed {
  readonly kind: "subscribed";
  readonly client: string;
  readonly connection: number;
  /** As it was asked for, with `$share/…/` where shared. */
  readonly filter: string;
  readonly qos: QoS;
}

/** PUBLISH left; its payload names the publisher and the sequence number. */
export interface Sent {
  readonly kind: "sent";
  readonly client: string;
  readonly connection: number;
  readonly topic: string;
  /** Per client and topic, from 1. */
  readonly seq: number;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
}

/** PUBACK or PUBREC came. */
export interface Acknowledged {
  readonly kind: "acknowledged";
  readonly client: string;
  readonly connection: number;
  readonly topic: string;
  readonly seq: number;
  readonly qos: QoS;
  /** Below 0x80 the broker is responsible for the message now. */
  readonly code: number;
}

/** PUBLISH came. */
export interface Received {
  readonly kind: "received";
  readonly client: string;
  readonly connection: number;
  readonly topic: string;
  readonly publisher: string;
  readonly seq: number;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly packetId: number;
  /** The same QoS 2 delivery as before, by its packet identifier: the application sees it once. */
  readonly isRepeated: boolean;
}

/** DISCONNECT left. */
export interface Leaving {
  readonly kind: "leaving";
  readonly client: string;
  readonly connection: number;
  readonly code: number;
}

/** The connection has ended. */
export interface Closed {
  readonly kind: "closed";
  readonly client: string;
  readonly connection: number;
  /** `client`: this side cut it or left; `broker`: the other side did, or it broke. */
  readonly by: "client" | "broker";
  /** Of the DISCONNECT that came before; -1 if none did. */
  readonly code: number;
}

/** A fresh subscriber asks for the retained values (SUBSCRIBE left), or has seen enough of them. */
export interface Reading {
  readonly kind: "reading";
  readonly client: string;
  readonly connection: number;
  readonly phase: "begin" | "end";
  readonly filter: string;
}

/** Something was done to a process; `process` is its name. */
export interface Fault {
  readonly kind: "fault";
  readonly name: string;
  readonly process: string;
  readonly phase: "begin" | "end";
}

/** What was sent before is checked: everybody who should have it has it, up to this number. */
export interface Settled {
  readonly kind: "settled";
  readonly publisher: string;
  readonly topic: string;
  readonly seq: number;
}

/** A retained topic had at least this value, before what is kept of the history. */
export interface Value {
  readonly kind: "value";
  readonly topic: string;
  readonly seq: number;
}

/** What no broker may do, as a client saw it. */
export interface Violation {
  readonly kind: "violation";
  readonly client: string;
  readonly text: string;
}
