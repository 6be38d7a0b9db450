/** Requests and answers of the calls of canopy.store.v1.Shards, to messages and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import type {
  ReadRequest,
  RetainedPosition,
  RetainedRequest,
  ShardCounts,
  ShardReadResult,
  ShardRetainedPage,
  StoredMessage,
} from "@canopy/store";
import { bufferOf } from "../definition.ts";
import type {
  CountsResponse,
  CountsResponseSchema,
  ReadRequest as ReadMessage,
  ReadRequestSchema,
  ReadResponse,
  ReceiptsResponse,
  ShardReadResult as ResultMessage,
  RetainedRequest as RetainedMessage,
  RetainedPlace,
  RetainedPlaceSchema,
  RetainedRequestSchema,
  RetainedResponse,
  RetainedResponseSchema,
  ShardReadResultSchema,
} from "../gen/canopy/store/v1/shards_pb.ts";
import { toBigints, toNumbers } from "../numbers.ts";

// --- read -----------------------------------------------------------------------------------------

export function toRead(
  store: number,
  requests: readonly ReadRequest[],
): MessageInitShape<typeof ReadRequestSchema> {
  const reads = requests.map(({ shard, queues, messages, bytes }) => ({
    shard,
    queues: queues.map(({ queue, after }) => ({ queue, after: BigInt(after) })),
    messages: BigInt(messages),
    bytes: BigInt(bytes),
  }));
  return { store: BigInt(store), reads };
}

export function fromRead({ reads }: ReadMessage): ReadRequest[] {
  return reads.map(({ shard, queues, messages, bytes }) => ({
    shard,
    queues: queues.map(({ queue, after }) => ({ queue, after: Number(after) })),
    messages: Number(messages),
    bytes: Number(bytes),
  }));
}

export function toReadResults(
  results: readonly ShardReadResult[],
): MessageInitShape<typeof ShardReadResultSchema>[] {
  return results.map(({ epoch, messages, upTo, limited }) => ({
    epoch: BigInt(epoch),
    upTo: BigInt(upTo),
    limited,
    count: messages.length,
    index: toIndex(messages),
    records: toRecords(messages),
  }));
}

function toIndex(messages: readonly StoredMessage[]): Buffer<ArrayBuffer> {
  const writer = new ByteWriter();
  let before = 0;
  for (const { offset, start, end, queues } of messages) {
    writer.varint(offset - before);
    writer.varint(end - start);
    writer.varint(queues.length);
    for (const queue of queues) writer.varint(queue);
    before = offset;
  }
  return writer.take() as Buffer<ArrayBuffer>;
}

/** In as few pieces as they lie in. */
function toRecords(messages: readonly StoredMessage[]): Buffer<ArrayBuffer> {
  let size = 0;
  for (const { start, end } of messages) size += end - start;
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (let i = 0; i < messages.length; ) {
    const { bytes, start, end: first } = messages[i] as StoredMessage;
    let end = first;
    for (i++; i < messages.length; i++) {
      const next = messages[i] as StoredMessage;
      if (next.bytes !== bytes || next.start !== end) break;
      end = next.end;
    }
    at += bytes.copy(out, at, start, end);
  }
  return out as Buffer<ArrayBuffer>;
}

/** The records are views of the answer. */
export function fromReadResults({ results }: ReadResponse): ShardReadResult[] {
  return results.map((result) => ({
    epoch: Number(result.epoch),
    messages: fromIndex(result),
    upTo: Number(result.upTo),
    limited: result.limited,
  }));
}

function fromIndex({ count, index, records }: ResultMessage): StoredMessage[] {
  const reader = new ByteReader(bufferOf(index));
  const bytes = bufferOf(records);
  const messages: StoredMessage[] = [];
  let offset = 0;
  let end = 0;
  for (let left = count; left > 0; left--) {
    offset += reader.varint();
    const start = end;
    end += reader.varint();
    const queues: number[] = [];
    for (let more = reader.varint(); more > 0; more--) queues.push(reader.varint());
    messages.push({ offset, bytes, start, end, queues });
  }
  if (end !== bytes.length) throw new DecodeError("what was read is cut off");
  return messages;
}

// --- retained -------------------------------------------------------------------------------------

function toPlace({ shard, topic }: RetainedPosition): MessageInitShape<typeof RetainedPlaceSchema> {
  return { shard, topic };
}

function fromPlace(place: RetainedPlace | undefined): RetainedPosition | undefined {
  return place && { shard: place.shard, topic: place.topic };
}

export function toRetained(
  store: number,
  { filter, shard, upTo, after, messages, bytes }: RetainedRequest,
): MessageInitShape<typeof RetainedRequestSchema> {
  return {
    store: BigInt(store),
    filter,
    shard,
    upTo: toBigints(upTo),
    after: after && toPlace(after),
    messages: BigInt(messages),
    bytes: BigInt(bytes),
  };
}

export function fromRetained(message: RetainedMessage): RetainedRequest {
  const { filter, shard, upTo, after, messages, bytes } = message;
  return {
    filter,
    ...(shard === undefined ? {} : { shard }),
    upTo: toNumbers(upTo),
    after: fromPlace(after),
    messages: Number(messages),
    bytes: Number(bytes),
  };
}

export function toRetainedPage({
  epoch,
  messages,
  next,
}: ShardRetainedPage): MessageInitShape<typeof RetainedResponseSchema> {
  const values = messages.map(({ shard, topic, offset, body }) => {
    return { shard, topic, offset: BigInt(offset), record: body as Uint8Array<ArrayBuffer> };
  });
  return { epoch: BigInt(epoch), values, next: next && toPlace(next) };
}

export function fromRetainedPage({ epoch, values, next }: RetainedResponse): ShardRetainedPage {
  const messages = values.map(({ shard, topic, offset, record }) => {
    return { shard, topic, offset: Number(offset), body: record };
  });
  return { epoch: Number(epoch), messages, next: fromPlace(next) };
}

// --- receipts and counts --------------------------------------------------------------------------

interface Receipt {
  readonly shard: number;
  readonly key: number;
}

export function toReceipts(receipts: readonly Receipt[]): { shard: number; key: bigint }[] {
  return receipts.map(({ shard, key }) => ({ shard, key: BigInt(key) }));
}

export function fromReceipts({ receipts }: ReceiptsResponse): Receipt[] {
  return receipts.map(({ shard, key }) => ({ shard, key: Number(key) }));
}

/** @param dropped - on the way to slow gateways. */
export function toCounts(
  counts: ShardCounts,
  dropped: number,
): MessageInitShape<typeof CountsResponseSchema> {
  return {
    retained: BigInt(counts.retained),
    queuedMessages: BigInt(counts.queuedMessages),
    queuedBytes: BigInt(counts.queuedBytes),
    dropped: BigInt(counts.dropped + dropped),
    notRetained: BigInt(counts.notRetained),
    storedMessages: BigInt(counts.storedMessages),
  };
}

export function fromCounts(message: CountsResponse): ShardCounts {
  return {
    retained: Number(message.retained),
    queuedMessages: Number(message.queuedMessages),
    queuedBytes: Number(message.queuedBytes),
    dropped: Number(message.dropped),
    notRetained: Number(message.notRetained),
    storedMessages: Number(message.storedMessages),
  };
}
