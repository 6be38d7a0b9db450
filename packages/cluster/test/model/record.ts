import type { PublishBatch, Records } from "@canopy/store";
import { Topic } from "@canopy/topic";
import type { Message } from "./disk.ts";

const SIZE = 6;
const name = Buffer.from("t");
const topic = new Topic(name, 0, name.length, 1);

/** Records that hold a number each. */
export function recordsOf(
  messages: readonly { readonly id: number; readonly qos: number }[],
): Records {
  const bytes = Buffer.alloc(messages.length * SIZE);
  for (const [i, { id, qos }] of messages.entries()) {
    bytes[i * SIZE + 1] = qos;
    bytes.writeUInt32BE(id, i * SIZE + 2);
  }
  return {
    bytes,
    length: bytes.length,
    count: messages.length,
    starts: messages.map((_, i) => i * SIZE),
    ends: messages.map((_, i) => (i + 1) * SIZE),
    topics: messages.map(() => topic),
  };
}

export function idAt({ bytes, starts }: Records, index: number): number {
  return bytes.readUInt32BE((starts[index] as number) + 2);
}

export function qosAt({ bytes, starts }: Records, index: number): number {
  return bytes[(starts[index] as number) + 1] as number;
}

export function messagesOf({ records, receiptSessions, receiptKeys }: PublishBatch): Message[] {
  const found: Message[] = [];
  for (let index = 0; index < records.count; index++) {
    if (records.starts[index] === records.ends[index]) continue;
    const id = idAt(records, index);
    const receipt = receiptSessions[index] !== 0;
    const isLeft = receipt && receiptKeys[index] === 0;
    found.push({ index, id, qos: qosAt(records, index), receipt, isLeft });
  }
  return found;
}
