import { skipBinary, skipString, u8, u16, u32, varint, varintSize } from "./bytes.ts";
import type { UserProperties } from "./packets.ts";
import { skipTopicName } from "./publish.ts";
import { malformed, protocolError } from "./reason.ts";

type Kind = "byte" | "u16" | "u32" | "varint" | "string" | "topic" | "binary" | "pair";

/** Where a property may stand; only what a client sends, and not PUBLISH (see publish.ts). */
export const CONNECT = 1;
export const WILL = 2;
export const ACK = 4;
export const SUBSCRIBE = 8;
export const UNSUBSCRIBE = 16;
export const DISCONNECT = 32;
export const AUTH = 64;

interface Rule {
  readonly name: string;
  readonly kind: Kind;
  readonly places: number;
  readonly min?: number;
  readonly max?: number;
}

/** Table 2-4, as far as clients may send it. */
const RULES: readonly (Rule | undefined)[] = table({
  0x01: { name: "Payload Format Indicator", kind: "byte", places: WILL, max: 1 },
  0x02: { name: "Message Expiry Interval", kind: "u32", places: WILL },
  0x03: { name: "Content Type", kind: "string", places: WILL },
  0x08: { name: "Response Topic", kind: "topic", places: WILL },
  0x09: { name: "Correlation Data", kind: "binary", places: WILL },
  0x0b: { name: "Subscription Identifier", kind: "varint", places: SUBSCRIBE, min: 1 },
  0x11: { name: "Session Expiry Interval", kind: "u32", places: CONNECT | DISCONNECT },
  0x15: { name: "Authentication Method", kind: "string", places: CONNECT | AUTH },
  0x16: { name: "Authentication Data", kind: "binary", places: CONNECT | AUTH },
  0x17: { name: "Request Problem Information", kind: "byte", places: CONNECT, max: 1 },
  0x18: { name: "Will Delay Interval", kind: "u32", places: WILL },
  0x19: { name: "Request Response Information", kind: "byte", places: CONNECT, max: 1 },
  0x1f: { name: "Reason String", kind: "string", places: ACK | DISCONNECT | AUTH },
  0x21: { name: "Receive Maximum", kind: "u16", places: CONNECT, min: 1 },
  0x22: { name: "Topic Alias Maximum", kind: "u16", places: CONNECT },
  0x26: {
    name: "User Property",
    kind: "pair",
    places: CONNECT | WILL | ACK | SUBSCRIBE | UNSUBSCRIBE | DISCONNECT | AUTH,
  },
  0x27: { name: "Maximum Packet Size", kind: "u32", places: CONNECT, min: 1 },
});

function table(rules: Readonly<Record<number, Rule>>): (Rule | undefined)[] {
  return Array.from({ length: 0x2b }, (_, id) => rules[id]);
}

/** Told of each property: where it starts (its identifier), and where its value starts and ends. */
export type PropertyVisitor = (id: number, start: number, value: number, end: number) => void;

/**
 * Walks over the properties whose length stands at `at`, checks them by the rules of the packet
 * (2.2.2), and returns their end.
 */
export function walkProperties(
  buffer: Buffer,
  at: number,
  end: number,
  place: number,
  visit?: PropertyVisitor,
): number {
  const length = varint(buffer, at, end);
  at += varintSize(length);
  const stop = at + length;
  if (stop > end) throw malformed("the properties go beyond the packet");
  // Identifiers are below 64: one bit for each, in two halves.
  let seenLow = 0;
  let seenHigh = 0;
  while (at < stop) {
    const start = at;
    const id = u8(buffer, at++);
    const rule = RULES[id];
    if (rule === undefined || (rule.places & place) === 0) {
      throw malformed(`property 0x${id.toString(16)} is not allowed here`);
    }
    if (rule.kind !== "pair") {
      const bit = 1 << (id & 31);
      if (((id < 32 ? seenLow : seenHigh) & bit) !== 0) {
        throw protocolError(`${rule.name} comes twice`);
      }
      if (id < 32) seenLow |= bit;
      else seenHigh |= bit;
    }
    const value = at;
    at = skipValue(buffer, at, stop, rule);
    visit?.(id, start, value, at);
  }
  return stop;
}

function skipValue(buffer: Buffer, at: number, stop: number, rule: Rule): number {
  switch (rule.kind) {
    case "string":
      return skipString(buffer, at, stop);
    case "topic":
      return skipTopicName(buffer, at, stop);
    case "binary":
      return skipBinary(buffer, at, stop);
    case "pair":
      return skipString(buffer, skipString(buffer, at, stop), stop);
    case "varint": {
      const value = varint(buffer, at, stop);
      checkRange(rule, value);
      return at + varintSize(value);
    }
    case "byte":
      return skipNumber(buffer, at, stop, 1, rule);
    case "u16":
      return skipNumber(buffer, at, stop, 2, rule);
    case "u32":
      return skipNumber(buffer, at, stop, 4, rule);
    default:
      return rule.kind satisfies never;
  }
}

function skipNumber(buffer: Buffer, at: number, stop: number, size: 1 | 2 | 4, rule: Rule): number {
  if (at + size > stop) throw malformed(`${rule.name} is cut off`);
  checkRange(rule, size === 1 ? u8(buffer, at) : size === 2 ? u16(buffer, at) : u32(buffer, at));
  return at + size;
}

function checkRange(rule: Rule, value: number): void {
  if (value < (rule.min ?? 0) || value > (rule.max ?? Infinity)) {
    throw protocolError(`${rule.name} must not be ${value}`);
  }
}

/** Collects the User Properties of a packet in the order of the wire. */
export class UserPropertyList {
  readonly pairs: (readonly [name: string, value: string])[] = [];
  readonly #buffer: Buffer;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  readonly visit: PropertyVisitor = (id, _start, value, end) => {
    if (id !== 0x26) return;
    const nameEnd = value + 2 + u16(this.#buffer, value);
    const name = this.#buffer.toString("utf8", value + 2, nameEnd);
    this.pairs.push([name, this.#buffer.toString("utf8", nameEnd + 2, end)]);
  };
}

/** Walks over properties of which only the User Properties are to be kept here. */
export function userProperties(
  buffer: Buffer,
  at: number,
  end: number,
  place: number,
): { readonly end: number; readonly pairs: UserProperties } {
  const list = new UserPropertyList(buffer);
  return { end: walkProperties(buffer, at, end, place, list.visit), pairs: list.pairs };
}
