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
import { namedKey, nameIn } from "./keys.ts";
import { bodyOf } from "./record.ts";
import type { ShardState } from "./shard-state.ts";

/** Topics looked at before others get their turn. */
const SLICE = 2000;
/** Bodies fetched at once: few until their size is known. */
const FIRST_BODIES = 8;
const MOST_BODIES = 64;
/** Bodies are read as a range where at least one of so many in it is wanted … */
const SPARSEST = 2;
/** … and so many are wanted: to find the range takes longer than to find a few bodies. */
const FEW = 4;
/** How often a value is looked for again because it was changed or moved meanwhile. */
const ATTEMPTS = 100;

/** The present value of a topic. */
export async function retainedValue(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  topic: string,
): Promise<RetainedMessage | undefined> {
  const [value] = await retainedValues(state, reader, database, { topics: [topic], looked: 1 });
  return value;
}

/** Topics in order, and how many there are from the first to the last of them. */
interface Topics {
  readonly topics: readonly string[];
  readonly looked: number;
}

/** The present values of some topics, in their order; undefined where there is none any more. */
async function retainedValues(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  { topics, looked }: Topics,
): Promise<(RetainedMessage | undefined)[]> {
  const values = new Map<string, RetainedMessage>();
  let missing = topics;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const wanted = missing.flatMap((topic) => {
      const offset = state.retained.get(topic);
      return offset === undefined ? [] : [{ topic, offset }];
    });
    if (wanted.length === 0) return topics.map((topic) => values.get(topic));
    const isDense = missing.length >= FEW && looked <= missing.length * SPARSEST;
    const bodies = await bodiesOf(state, reader, database, wanted, isDense);
    const again: string[] = [];
    for (const { topic, offset } of wanted) {
      const body = bodies.get(topic);
      // Not there: it has changed meanwhile, or was copied out of the tail.
      if (body === undefined || state.retained.get(topic) !== offset) again.push(topic);
      else values.set(topic, { topic, offset, body });
    }
    missing = again;
  }
  throw corrupt(`shard ${state.shard}: a retained value is not where the index says`);
}

interface Wanted {
  readonly topic: string;
  readonly offset: Offset;
}

/**
 * Each record once, and what was copied out of the tail as one range where that has little else.
 * That does not only find neighbours faster: a look-up that goes to more than one table counts as
 * a reason to compact the first, and a subscription of some hundred values is reason enough.
 */
async function bodiesOf(
  state: ShardState,
  reader: DiskReader,
  database: Database,
  wanted: readonly Wanted[],
  isDense: boolean,
): Promise<Map<string, Uint8Array>> {
  const bodies = new Map<string, Uint8Array>();
  const copied: string[] = [];
  const inTail = new Map<string, { place: readonly [number, number]; wanted: Wanted[] }>();
  for (const one of wanted) {
    const tail = state.tailOf(one.offset);
    if (tail === undefined) {
      copied.push(one.topic);
      continue;
    }
    const place = [tail.id, tail.recordOf(one.offset)] as const;
    const known = inTail.get(place.join("/"));
    if (known === undefined) inTail.set(place.join("/"), { place, wanted: [one] });
    else known.wanted.push(one);
  }
  const records = [...inTail.values()];
  const keys = copied.map((topic) => namedKey("retainedBody", state.shard, topic));
  if (isDense && keys.length >= FEW) {
    await addRange(database, keys, bodies);
  } else if (keys.length > 0) {
    for (const [i, value] of (await database.getMany(keys)).entries()) {
      if (value !== undefined) bodies.set(copied[i] as string, value);
    }
  }
  await reader.eachRecord(
    records.flatMap(({ place }) => place),
    (index, record) => {
      if (record === undefined) return;
      for (const { topic, offset } of records[index]?.wanted ?? []) {
        const body = bodyOf(record, offset);
        // A copy: a view would keep the whole record in memory.
        if (body !== undefined) bodies.set(topic, new Uint8Array(body));
      }
    },
  );
  return bodies;
}

/** From the first of these keys to the last, in the order of their bytes. */
async function addRange(
  database: Database,
  keys: readonly Buffer[],
  bodies: Map<string, Uint8Array>,
): Promise<void> {
  const sorted = keys.toSorted((a, b) => a.compare(b));
  const end = Buffer.concat([sorted.at(-1) as Buffer, Buffer.of(0)]);
  await database.scan(sorted[0] as Buffer, end, (key, value) => {
    bodies.set(nameIn(key), value);
  });
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
    const values = await retainedValues(state, reader, database, slice);
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
): Topics & { readonly next: string | undefined } {
  const wildcard = filter.search(/[+#]/);
  if (wildcard < 0) {
    const isThere = after === undefined && (state.retained.get(filter) ?? upTo + 1) <= upTo;
    return { topics: isThere ? [filter] : [], looked: 1, next: undefined };
  }
  const range = state.retained.range(after, filter.slice(0, wildcard), SLICE);
  const found = [...parentOf(state, filter, wildcard, after), ...range];
  const topics: string[] = [];
  let first = 0;
  let last = 0;
  for (const [place, [topic, offset]] of found.entries()) {
    if (offset > upTo || !matchesFilter(filter, topic)) continue;
    if (topics.length === 0) first = place;
    last = place;
    topics.push(topic);
    if (topics.length === limit) return { topics, looked: last - first + 1, next: topic };
  }
  const next = range.length < SLICE ? undefined : range.at(-1)?.[0];
  return { topics, looked: last - first + 1, next };
}

/** "a/#" also matches "a", which stands before all that begin with "a/", but not next to them. */
function parentOf(
  state: ShardState,
  filter: string,
  wildcard: number,
  after: string | undefined,
): [string, Offset][] {
  if (filter[wildcard] !== "#" || wildcard === 0) return [];
  const parent = filter.slice(0, wildcard - 1);
  const offset = state.retained.get(parent);
  return offset === undefined || (after !== undefined && after >= parent) ? [] : [[parent, offset]];
}
