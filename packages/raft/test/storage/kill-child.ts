/**
 * Writes numbers to two groups of the storage in the directory given, and prints each one when it is
 * on the disk, until it is killed.
 */
import { silentLogger } from "@canopy/base";
import { EntryKind, openStorage } from "../../src/index.ts";

const directory = process.argv[2] as string;
const storage = openStorage({ directory, logger: silentLogger, segmentBytes: 16 * 1024 });
await storage.start();
const nodes = new Map([[1, { name: "node", disk: 1 }]]);
const none = { outgoing: [], learners: [], learnersNext: [], autoLeave: false };
const configuration = { ...none, voters: [1], highest: 1, nodes };
const next = [1, 1];
for (const group of [0, 1]) {
  const known = storage.groups.get(group);
  if (known === undefined) await storage.create(group, 1, { index: 0, term: 0, configuration });
  else next[group] = Math.max(known.log.snapshot.index, known.log.entries.at(-1)?.index ?? 0) + 1;
}

function writeNext(group: number): void {
  const index = next[group]!++;
  const data = Buffer.from(`${index} ${"x".repeat(100)}`);
  const entries = [{ index, term: 1, kind: EntryKind.Command, data }];
  const hardState = { term: 1, vote: 1, commit: index - 1 };
  storage.write({ group, hardState, entries, snapshot: undefined }, () => {
    // A pipe is written before this returns.
    process.stdout.write(`${group} ${index}\n`);
    if (index % 100 === 0) void snapshot(group, index);
    writeNext(group);
  });
}

async function snapshot(group: number, index: number): Promise<void> {
  const writer = await storage.snapshots.create(group, { index, term: 1, configuration });
  await writer.write(Buffer.from(`state ${index}`));
  await writer.finish();
  storage.compact(group, index - 20);
  await storage.snapshots.prune(group, index);
}

for (let i = 0; i < 20; i++) writeNext(i % 2);
