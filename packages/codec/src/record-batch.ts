import type { Topic } from "@canopy/topic";
import { putVarint, u8, u16 } from "./bytes.ts";
import { copyBytes } from "./copy.ts";
import { putRecordHeader, recordSizeLimit } from "./record.ts";
import type { PublishView } from "./views.ts";

const FIRST_ROOM = 4096;
/** One large message must not keep its memory in a batch that lives on. */
const KEPT_ROOM = 1 << 20;

/** Message Expiry Interval and Topic Alias with their identifiers, as on the wire. */
const EXPIRY_SIZE = 5;
const ALIAS_SIZE = 3;

/** Records one behind the other, in memory that is used again after each turn. */
export class RecordBatch {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_ROOM);
  #view = viewOf(this.bytes);
  length = 0;
  count = 0;
  starts: number[] = [];
  ends: number[] = [];
  topics: Topic[] = [];

  /**
   * Makes a record of a PUBLISH packet and appends it; returns its index. `clientId` is the
   * publisher's, UTF-8; `acceptedAt` is ms since 1970.
   */
  add(view: PublishView, topic: Topic, clientId: Uint8Array, acceptedAt: number): number {
    const properties = view.propertiesEnd - view.propertiesStart;
    const payload = view.payloadEnd - view.payloadStart;
    const start = this.length;
    this.#reserve(recordSizeLimit(clientId.length, topic.wire.length, properties, payload));
    const out = this.bytes;
    const at = putRecordHeader(
      out,
      this.#view,
      start,
      view.qos,
      view.retain,
      view.utf8Payload,
      acceptedAt,
      view.messageExpiry,
      clientId,
    );
    return this.#end(start, putMessage(view, topic, out, at), topic);
  }

  /** Appends a record that is there already; returns its index. */
  addRecord(source: Uint8Array, start: number, end: number, topic: Topic): number {
    const at = this.length;
    this.#reserve(end - start);
    return this.#end(at, copyBytes(source, start, end, this.bytes, at), topic);
  }

  /** Empties the batch; its bytes and positions are written over by what comes next. */
  reset(): void {
    if (this.bytes.length > KEPT_ROOM) this.#take(Buffer.allocUnsafeSlow(FIRST_ROOM));
    this.length = 0;
    this.count = 0;
    // `length = 0` would give the arrays' memory away, and most batches are small.
    for (let left = this.topics.length; left > 0; left--) {
      this.starts.pop();
      this.ends.pop();
      this.topics.pop();
    }
  }

  #end(start: number, end: number, topic: Topic): number {
    const index = this.count++;
    this.starts.push(start);
    this.ends.push(end);
    this.topics.push(topic);
    this.length = end;
    return index;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.#take(grown);
  }

  #take(bytes: Buffer): void {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Topic name, properties and payload, in as few copies as they lie in pieces in the packet. */
function putMessage(view: PublishView, topic: Topic, out: Buffer, at: number): number {
  const from = view.buffer;
  const behindTopic = view.qos === 0 ? view.topicEnd : view.topicEnd + 2;
  // In v5 the properties' length stands before them, and all up to the payload's end is as wanted.
  const asItStands = view.propertiesWhole && view.propertiesStart > behindTopic;
  if (asItStands && view.qos === 0 && view.topicEnd > view.topicStart) {
    return copyBytes(from, view.topicStart - 2, view.payloadEnd, out, at);
  }
  at = copyBytes(topic.wire, 0, topic.wire.length, out, at);
  if (asItStands) return copyBytes(from, behindTopic, view.payloadEnd, out, at);
  at = view.propertiesWhole ? putVarint(out, at, 0) : putForwarded(view, out, at);
  return copyBytes(from, view.payloadStart, view.payloadEnd, out, at);
}

/** The properties without Message Expiry Interval and Topic Alias, behind their length. */
function putForwarded(view: PublishView, out: Buffer, at: number): number {
  const from = view.buffer;
  const end = view.propertiesEnd;
  const dropped =
    (view.messageExpiry < 0 ? 0 : EXPIRY_SIZE) + (view.topicAlias < 0 ? 0 : ALIAS_SIZE);
  at = putVarint(out, at, end - view.propertiesStart - dropped);
  // What lies between two dropped ones goes in one copy.
  let kept = view.propertiesStart;
  for (let next = kept; next < end; ) {
    const start = next;
    next = propertyEnd(from, start);
    if (!isDropped(u8(from, start))) continue;
    at = copyBytes(from, kept, start, out, at);
    kept = next;
  }
  return copyBytes(from, kept, end, out, at);
}

function isDropped(id: number): boolean {
  return id === 0x02 || id === 0x23;
}

/** End of the property of a PUBLISH that starts here; it was checked when it came. */
function propertyEnd(from: Buffer, at: number): number {
  switch (u8(from, at)) {
    case 0x01:
      return at + 2;
    case 0x02:
      return at + EXPIRY_SIZE;
    case 0x23:
      return at + ALIAS_SIZE;
    case 0x26: {
      const value = at + 3 + u16(from, at + 1);
      return value + 2 + u16(from, value);
    }
    default:
      return at + 3 + u16(from, at + 1);
  }
}
