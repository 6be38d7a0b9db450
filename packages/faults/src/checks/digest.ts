import type {
  Connect,
  Event,
  Fault,
  QoS,
  Reading,
  Received,
  Subscribed,
  WillOf,
} from "../history/event.ts";

/** An event and its place in the history: what stands behind it was begun when it was known. */
export type Placed<E> = E & { readonly at: number; readonly place: number };

export interface Connection {
  readonly client: string;
  readonly connection: number;
  readonly gateway: string;
  readonly isDurable: boolean;
  readonly will: WillOf | undefined;
  readonly connect: Placed<Connect>;
  /** Of a CONNACK with success. */
  opened: { at: number; place: number; isPresent: boolean } | undefined;
  leaving: { at: number; code: number } | undefined;
  closed: { at: number; place: number; by: "client" | "broker"; code: number } | undefined;
}

/** One message of one publisher. */
export interface Message {
  readonly publisher: string;
  readonly topic: string;
  readonly seq: number;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Where it was sent, and on which connection; more than once after reconnects. */
  readonly sends: { readonly place: number; readonly connection: number }[];
  /** The broker is responsible for it since this place. */
  acknowledged: { place: number; connection: number; code: number } | undefined;
}

/** What a client was granted: of a durable one for good, else on that connection. */
export type Subscription = Placed<Subscribed>;

export interface Digest {
  readonly events: readonly Event[];
  readonly connections: Map<number, Connection>;
  readonly clients: Map<string, Connection[]>;
  /** By publisher and topic (`laneOf`), then by number. */
  readonly lanes: Map<string, Map<number, Message>>;
  /** How far a lane was when what is kept of the history began. */
  readonly floors: Map<string, { readonly seq: number; readonly place: number }>;
  readonly subscriptions: Subscription[];
  readonly received: Placed<Received>[];
  readonly readings: Placed<Reading>[];
  readonly faults: Placed<Fault>[];
}

export function laneOf(publisher: string, topic: string): string {
  return `${publisher} ${topic}`;
}

/** The history by connections, messages and deliveries, for all checks. */
export function digest(events: readonly Event[]): Digest {
  const found: Digest = {
    events,
    connections: new Map(),
    clients: new Map(),
    lanes: new Map(),
    floors: new Map(),
    subscriptions: [],
    received: [],
    readings: [],
    faults: [],
  };
  events.forEach((event, place) => {
    take(found, { ...event, place });
  });
  return found;
}

function take(found: Digest, event: Placed<Event>): void {
  switch (event.kind) {
    case "connect":
      connected(found, event);
      break;
    case "sent":
      sent(found, event);
      break;
    case "acknowledged": {
      const message = found.lanes.get(laneOf(event.client, event.topic))?.get(event.seq);
      if (message !== undefined && event.code < 0x80) message.acknowledged ??= event;
      break;
    }
    case "settled":
      found.floors.set(laneOf(event.publisher, event.topic), event);
      break;
    case "subscribed":
      found.subscriptions.push(event);
      break;
    case "received":
      found.received.push(event);
      break;
    case "reading":
      found.readings.push(event);
      break;
    case "fault":
      found.faults.push(event);
      break;
    case "connack":
    case "leaving":
    case "closed":
      changed(found.connections.get(event.connection), event);
      break;
    default:
  }
}

function connected(found: Digest, event: Placed<Connect>): void {
  const { client, connection, gateway, isDurable, will } = event;
  const known: Connection = {
    client,
    connection,
    gateway,
    isDurable,
    will,
    connect: event,
    opened: undefined,
    leaving: undefined,
    closed: undefined,
  };
  found.connections.set(connection, known);
  const others = found.clients.get(client);
  if (others === undefined) found.clients.set(client, [known]);
  else others.push(known);
}

function changed(
  known: Connection | undefined,
  event: Extract<Placed<Event>, { readonly kind: "connack" | "leaving" | "closed" }>,
): void {
  if (known === undefined) return;
  if (event.kind === "closed") known.closed = event;
  else if (event.kind === "leaving") known.leaving = event;
  else if (event.code === 0) known.opened = event;
}

function sent(found: Digest, event: Extract<Placed<Event>, { readonly kind: "sent" }>): void {
  const { client, topic, seq, qos, retain, place, connection } = event;
  const name = laneOf(client, topic);
  const lane = found.lanes.get(name) ?? new Map<number, Message>();
  found.lanes.set(name, lane);
  const message = lane.get(seq);
  if (message !== undefined) {
    message.sends.push({ place, connection });
    return;
  }
  const sends = [{ place, connection }];
  lane.set(seq, { publisher: client, topic, seq, qos, retain, sends, acknowledged: undefined });
}
