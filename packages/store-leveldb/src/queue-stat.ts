import type { Offset, QueueStat } from "@canopy/store";
import type { DiskReader } from "./disk-reader.ts";
import { BYTES, MESSAGES, PLACE, type QueueIndex, RUN, SEGMENT } from "./queue-index.ts";

export function statOf(name: string, queue: QueueIndex | undefined): QueueStat {
  if (queue === undefined) return { queue: name, messages: 0, bytes: 0, first: 0, last: 0 };
  const sealed = queue.sealed();
  return {
    queue: name,
    messages: sealed.messages + queue.tailMessages,
    bytes: sealed.bytes + queue.tailBytes,
    first: queue.first(),
    last: queue.last(),
  };
}

interface Amount {
  messages: number;
  bytes: number;
}

/** What to trim up to so that the queue comes within the limits; 0 if it is. */
export async function excessOf(
  queue: QueueIndex,
  limits: Amount,
  reader: DiskReader,
): Promise<Offset> {
  for (;;) {
    const { messages, bytes } = statOf(queue.name, queue);
    const surplus = { messages: messages - limits.messages, bytes: bytes - limits.bytes };
    if (isCovered(surplus)) return 0;
    const { runs } = queue;
    const at = skipRuns(runs, surplus);
    if (at === runs.length) return inTail(queue, surplus);
    const run = await reader.run(runs[at + SEGMENT] as number, runs[at + PLACE] as number);
    // The index was changed meanwhile: look again.
    if (run === undefined) continue;
    for (let i = 0; i < run.offsets.length; i++) {
      const offset = run.offsets[i] as number;
      if (offset <= queue.floor) continue;
      surplus.messages--;
      surplus.bytes -= run.sizes[i] as number;
      if (isCovered(surplus)) return offset;
    }
    return run.offsets.at(-1) ?? 0;
  }
}

function isCovered(surplus: Amount): boolean {
  return surplus.messages <= 0 && surplus.bytes <= 0;
}

/** Takes whole runs off the surplus; returns the position of the run in which it is used up. */
function skipRuns(runs: readonly number[], surplus: Amount): number {
  let at = 0;
  for (; at < runs.length; at += RUN) {
    const messages = runs[at + MESSAGES] as number;
    const bytes = runs[at + BYTES] as number;
    if (messages >= surplus.messages && bytes >= surplus.bytes) return at;
    surplus.messages -= messages;
    surplus.bytes -= bytes;
  }
  return at;
}

function inTail(queue: QueueIndex, surplus: Amount): Offset {
  const { entries, start, base } = queue;
  for (let at = start; at < entries.length; at += 2) {
    const messages = (at - start) / 2 + 1;
    const bytes = (entries[at + 1] as number) - base;
    if (messages >= surplus.messages && bytes >= surplus.bytes) return entries[at] as number;
  }
  return queue.last();
}
