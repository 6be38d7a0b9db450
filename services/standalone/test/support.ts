import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Address,
  Broker,
  type BrokerOptions,
  type PublishFields,
  RawClient,
  Scope,
} from "@canopy/testkit";
import { afterAll, beforeAll } from "vitest";

/** One broker for all tests of a file, which therefore use names of their own: see `fresh`. */
export function sharedBroker(options: BrokerOptions = {}): Broker {
  const scope = new Scope();
  const folder = mkdtempSync(join(tmpdir(), "canopy-test-"));
  scope.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const broker = new Broker(join(folder, "data"), options, scope);
  beforeAll(() => broker.start());
  afterAll(() => scope.close());
  return broker;
}

let names = 0;

/** A topic level or client identifier that no other test of the file uses. */
export function fresh(name = "t"): string {
  return `${name}${++names}`;
}

/** A packet from its first byte and its body, to send what no encoder would make. */
export function packet(
  first: number,
  ...parts: readonly (Uint8Array | readonly number[])[]
): Buffer {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  return Buffer.concat([Buffer.from([first]), varint(body.length), body]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A UTF-8 encoded string, or binary data, with its length in front. */
export function utf8(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** Publishes at QoS 1 by a client of its own: what it concerns has it in its socket afterwards. */
export async function publish(
  address: Address,
  topic: string,
  payload: string,
  fields: PublishFields = {},
): Promise<void> {
  const scope = new Scope();
  try {
    const client = await RawClient.connected(address, {}, scope);
    await client.publish(topic, payload, { qos: 1, ...fields });
    await client.disconnect();
  } finally {
    await scope.close();
  }
}
