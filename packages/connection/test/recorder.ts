import { type Connect, encode, type PublishView, type ServerPacket } from "@canopy/codec";
import { type Topic, TopicTable } from "@canopy/topic";
import type {
  Connection,
  Delivery,
  Effects,
  Ending,
  GrantedSubscription,
  OpenSession,
} from "../src/index.ts";

type Settle = (codes: readonly number[]) => void;

const ACKS = { 4: "PUBACK", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP" } as const;

/** A published message, as far as tests look at it. */
export interface Published {
  readonly topic: string;
  readonly qos: number;
  readonly slot: number;
}

/**
 * Effects that are only written down, a line each. What the broker would decide is fixed: nothing
 * that begins with `denied/` is allowed.
 */
export class Recorder implements Effects<string> {
  readonly trace: string[] = [];
  readonly sent: ServerPacket[] = [];
  readonly acks: { type: 4 | 5 | 6 | 7; packetId: number; reasonCode: number }[] = [];
  readonly published: Published[] = [];
  readonly subscriptions: Set<string> = new Set();
  readonly pendingSubscribes: Settle[] = [];
  readonly pendingUnsubscribes: Settle[] = [];
  readonly forgetting: number[] = [];
  ending: Ending | undefined = undefined;
  holding = false;
  /** What came after the end: a connection must ask for nothing any more. */
  readonly afterEnd: string[] = [];
  /** Set by who drives: decodes on, or waits. */
  onHold: (on: boolean) => void = () => {};
  connection: Connection<string> | undefined = undefined;
  readonly #topics = new TopicTable(1);

  write(line: string): void {
    this.trace.push(line);
    if (this.ending !== undefined) this.afterEnd.push(line);
  }

  send(packet: ServerPacket): void {
    const version = this.connection?.version ?? 5;
    encode(packet, version); // it can be put on the wire
    this.sent.push(packet);
    this.write(`broker> ${packetLine(packet)}`);
  }

  ack(type: 4 | 5 | 6 | 7, packetId: number, reasonCode: number): void {
    this.acks.push({ type, packetId, reasonCode });
    this.write(`broker> ${ACKS[type]} ${packetId}${reasonCode === 0 ? "" : ` ${hex(reasonCode)}`}`);
  }

  intern(buffer: Buffer, start: number, end: number): Topic | undefined {
    return this.#topics.intern(buffer, start, end);
  }

  mayPublish(topic: Topic): number {
    return decide(topic.name);
  }

  maySubscribe(subscription: GrantedSubscription): number {
    return decide(subscription.plainFilter);
  }

  publish(view: PublishView, topic: Topic, slot: number): void {
    const { qos, retain, buffer, payloadStart, payloadEnd } = view;
    this.published.push({ topic: topic.name, qos, slot });
    const payload = buffer.toString("utf8", payloadStart, payloadEnd);
    const where = slot === -1 ? "no answer wanted" : `slot ${slot}`;
    this.write(`publish ${topic.name} "${payload}" qos ${qos}${retain ? " retain" : ""}, ${where}`);
  }

  assignClientId(): string {
    return "assigned-1";
  }

  authenticate(connect: Connect, clientId: string): void {
    this.write(`authenticate ${clientId}${connect.userName ?? ""}`);
  }

  exchange(method: string, data: Uint8Array | undefined, first: boolean, again: boolean): void {
    const what = again ? "re-authentication" : "authentication";
    this.write(`${first ? "begin" : "go on with"} ${what} by ${method}${dataOf(data)}`);
  }

  mayLeaveWill(connect: Connect): number {
    return decide(connect.will?.topic ?? "");
  }

  open({ clientId, cleanStart, expiry }: OpenSession): void {
    this.write(`open ${clientId}${cleanStart ? " clean" : ""} expiry ${expiry}`);
  }

  started(): void {
    this.write("started");
  }

  subscribe(granted: readonly GrantedSubscription[], settle: Settle): void {
    this.pendingSubscribes.push((codes) => {
      for (const [i, { filter }] of granted.entries()) {
        if ((codes[i] as number) < 0x80) this.subscriptions.add(filter);
      }
      settle(codes);
    });
    this.write(`subscribe ${granted.map(grantedLine).join(", ")}`);
  }

  unsubscribe(filters: readonly string[], settle: Settle): void {
    this.pendingUnsubscribes.push((codes) => {
      for (const filter of filters) this.subscriptions.delete(filter);
      settle(codes);
    });
    this.write(`unsubscribe ${filters.join(", ")}`);
  }

  subscriptionCount(): number {
    return this.subscriptions.size;
  }

  hasSubscription(filter: string): boolean {
    return this.subscriptions.has(filter);
  }

  forget(packetId: number): void {
    this.forgetting.push(packetId);
    this.write(`forget ${packetId}`);
  }

  finished(delivery: Delivery<string>, reasonCode: number): void {
    this.write(`finished ${delivery.packetId}${reasonCode === 0 ? "" : ` ${hex(reasonCode)}`}`);
  }

  received(delivery: Delivery<string>): void {
    this.write(`received ${delivery.packetId}`);
  }

  completed(delivery: Delivery<string>): void {
    this.write(`completed ${delivery.packetId}`);
  }

  hold(on: boolean): void {
    this.holding = on;
    this.write(on ? "hold" : "go on");
    this.onHold(on);
  }

  keepAlive(timeoutMs: number): void {
    this.write(`keep alive ${timeoutMs} ms`);
  }

  end(ending: Ending): void {
    const { by, reasonCode, will, expiry } = ending;
    const expires = expiry === undefined ? "" : `, expiry ${expiry}`;
    this.write(`end by ${by} ${hex(reasonCode)}, will: ${will}${expires}`);
    this.ending = ending;
  }

  dropped(reason: "topic" | "not-authorized" | "payload-format"): void {
    this.write(`dropped: ${reason}`);
  }
}

function decide(topic: string): number {
  return topic.startsWith("denied/") ? 0x87 : 0;
}

export function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}

function dataOf(data: Uint8Array | undefined): string {
  return data === undefined ? "" : `, data ${Buffer.from(data).toString()}`;
}

function grantedLine(granted: GrantedSubscription): string {
  const { plainFilter, share, qos, noLocal, retainAsPublished, retainHandling } = granted;
  const { subscriptionIdentifier } = granted;
  return [
    `${plainFilter} qos ${qos}`,
    ...(share === undefined ? [] : [`shared by ${share}`]),
    ...(noLocal ? ["no local"] : []),
    ...(retainAsPublished ? ["retain as published"] : []),
    ...(retainHandling === 0 ? [] : [`retain handling ${retainHandling}`]),
    ...(subscriptionIdentifier === 0 ? [] : [`identifier ${subscriptionIdentifier}`]),
  ].join(" ");
}

/** A packet as scripts show it: its name, its identifier, its codes, and whatever else it has. */
function packetLine(packet: ServerPacket): string {
  const { type, ...fields } = packet as ServerPacket & Readonly<Record<string, unknown>>;
  const values = Object.entries(fields).map(([name, value]) => field(name, value));
  return [type.toUpperCase(), ...values].filter((part) => part !== "").join(" ");
}

function field(name: string, value: unknown): string {
  if (name === "packetId") return String(value);
  if (name === "reasonCode") return hex(value as number);
  if (name === "reasonCodes") return (value as number[]).map(hex).join(" ");
  if (name === "sessionPresent") return value === true ? "present" : "";
  if (value instanceof Uint8Array) return `${name}=${Buffer.from(value).toString()}`;
  return `${name}=${JSON.stringify(value)}`;
}
