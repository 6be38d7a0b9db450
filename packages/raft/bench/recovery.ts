/**
 * How long a start takes with a long log, and what the writes before it took:
 *
 *   node --conditions=source packages/raft/bench/recovery.ts [--entries 1000000] [--bytes 100] [--groups 1] [--segment 16] [--dir DIR]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Configuration, EntryKind, openStorage, type RaftStorage } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "1000000" },
    bytes: { type: "string", default: "100" },
    groups: { type: "string", default: "1" },
    /** Of entries given in one go. */
    batch: { type: "string", default: "64" },
    /** MiB. */
    segment: { type: "string", default: "16" },
    dir: { type: "string", default: tmpdir() },
  },
});
const count = Number(values.entries);
const groups = Number(values.groups);
const batch = Number(values.batch);
const segmentBytes = Number(values.segment) * 1024 * 1024;
const data = Buffer.alloc(Number(values.bytes), "x");
const configuration: Configuration = {
  voters: [1],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  highest: 1,
  nodes: new Map([[1, { name: "node", disk: 1 }]]),
};

async function fill(storage: RaftStorage): Promise<void> {
  const writes: Promise<void>[] = [];
  let given = 0;
  for (let group = 0; group < groups; group++) {
    await storage.create(group, 1, { index: 0, term: 0, configuration });
  }
  for (let index = 1; index <= count / groups; index += batch) {
    for (let group = 0; group < groups; group++) {
      const last = Math.min(index + batch - 1, count / groups);
      const entries = Array.from({ length: last - index + 1 }, (_, i) => {
        return { index: index + i, term: 1, kind: EntryKind.Command, data };
      });
      const hardState = { term: 1, vote: 1, commit: index - 1 };
      const { promise, resolve } = Promise.withResolvers<void>();
      storage.write({ group, hardState, entries, snapshot: undefined }, resolve);
      writes.push(promise);
      given += entries.length * data.length;
    }
    if (given < 4 * 1024 * 1024) continue;
    await writes.at(-1);
    given = 0;
  }
  await Promise.all(writes);
}

const directory = await mkdtemp(join(values.dir, "canopy-raft-recovery-"));
try {
  const first = openStorage({ directory, segmentBytes });
  await first.start();
  const began = performance.now();
  await fill(first);
  const wrote = performance.now() - began;
  await first.stop();
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const second = openStorage({ directory, segmentBytes });
  const started = performance.now();
  await second.start();
  const took = performance.now() - started;
  let entries = 0;
  for (const { log } of second.groups.values()) entries += log.entries.length;
  const mib = (process.memoryUsage().rss - before) / 1024 / 1024;
  console.log(
    `${entries} entries of ${data.length} bytes in ${groups} groups: written in ${(wrote / 1000).toFixed(1)} s, ` +
      `recovered in ${(took / 1000).toFixed(2)} s, resident memory +${mib.toFixed(0)} MiB`,
  );
  await second.stop();
} finally {
  await rm(directory, { recursive: true, force: true });
}
