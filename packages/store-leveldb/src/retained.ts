import {
  matchesFilter,
  type Offset,
  type ReadLimits,
  type RetainedMessage,
  type RetainedPage,
} from "@canopy/store";
import type { Database } from "./database.ts";
import type { DiskReader } from "./disk-reader.ts";
import { corrupt } from "./errors.ts";
import { namedKey } from "./keys.ts";
import { bodyOf } from "./record.ts";
import type { ShardState } from "./shard-state.ts";

/** Topics looked at before others get their turn. */
const SLICE = 2000;
/** Bodies fetched at once: few until their size is known. */
const FIRST_BODIES = 8;
const MOST_BODIES = 64;
/** How often a value is looked for again because it was changed or moved meanwhile. */
const ATTEMPTS = 100;

/** The present value of a topic. */
export async function retainedValue(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  topic: string,
): Promise<RetainedMessage | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const offset = state.retained.get(topic);
    if (offset === undefined) return undefined;
    const body = await bodyAtOffset(state, reader, database, topic, offset);
    // Not there: it has changed meanwhile, or was copied out of the tail.
    if (body !== undefined && state.retained.get(topic) === offset) return { topic, offset, body };
  }
  throw corrupt(`shard ${state.shard}: a retained value is not where the index says`);
}

async function bodyAtOffset(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  topic: string,
  offset: Offset,
): Promise<Uint8Array | undefined> {
  const tail = state.tailOf(offset);
  if (tail === undefined) return database.get(namedKey("retainedBody", state.shard, topic));
  const record = await reader.record(tail.id, tail.recordOf(offset));
  const body = record === undefined ? undefined : bodyOf(record, offset);
  // A copy: a view would keep the whole record in memory.
  return body === undefined ? undefined : new Uint8Array(body);
}

/** A page of values; see the port. Pages are in the order of topics. */
export async function retainedPage(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  query: { filter: string; upTo: Offset; after: string | undefined },
  limits: ReadLimits,
): Promise<RetainedPage> {
  const messages: RetainedMessage[] = [];
  let bytes = 0;
  let { after } = query;
  for (;;) {
    const want = bodiesToFetch(messages.length, bytes, limits);
    const slice = nextTopics(state, { ...query, after }, want);
    const values = await Promise.all(
      slice.topics.map((topic) => retainedValue(state, reader, database, topic)),
    );
    for (const value of values) {
      if (value === undefined || value.offset > query.upTo) continue;
      messages.push(value);
      bytes += value.body.length;
      if (messages.length >= limits.messages || bytes >= limits.bytes) {
        return { messages, next: value.topic };
      }
    }
    if (slice.next === undefined) return { messages, next: undefined };
    after = slice.next;
    if (slice.topics.length < want) await new Promise(setImmediate);
  }
}

function bodiesToFetch(messages: number, bytes: number, limits: ReadLimits): number {
  const left = limits.messages - messages;
  if (messages === 0) return Math.min(FIRST_BODIES, left);
  const fitting = Math.ceil(((limits.bytes - bytes) * messages) / Math.max(bytes, 1));
  return Math.max(1, Math.min(MOST_BODIES, left, fitting));
}

/** Topics that match, and where to go on; undefined at the end. */
function nextTopics(
  state: ShardState,
  { filter, upTo, after }: { filter: string; upTo: Offset; after: string | undefined },
  limit: number,
): { topics: string[]; next: string | undefined } {
  const wildcard = filter.search(/[+#]/);
  if (wildcard < 0) {
    const isThere = after === undefined && (state.retained.get(filter) ?? upTo + 1) <= upTo;
    return { topics: isThere ? [filter] : [], next: undefined };
  }
  // "a/#" also matches "a", so the separator is not part of the prefix.
  const prefix = filter.slice(0, Math.max(wildcard - 1, 0));
  const found = state.retained.range(after, prefix, SLICE);
  const topics: string[] = [];
  for (const [topic, offset] of found) {
    if (offset > upTo || !matchesFilter(filter, topic)) continue;
    topics.push(topic);
    if (topics.length === limit) return { topics, next: topic };
  }
  return { topics, next: found.length < SLICE ? undefined : found.at(-1)?.[0] };
}
