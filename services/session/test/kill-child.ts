/**
 * Proposes numbers to the log in the directory given, many at a time, and prints each one when it
 * has been acknowledged, until it is killed.
 */
import { silentLogger } from "@canopy/base";
import { LocalLog } from "../src/log/log.ts";
import { Recorder } from "./recorder.ts";

const directory = process.argv[2] as string;
const recorder = new Recorder();
const log = new LocalLog({
  directory,
  machine: recorder,
  logger: silentLogger,
  durability: "sync",
  snapshotEvery: 30_000,
  segmentBytes: 10_000,
});
await log.open();
let next = Number(recorder.commands.at(-1) ?? 0) + 1;

async function client(): Promise<never> {
  for (;;) {
    const number = next++;
    await log.propose(Buffer.from(String(number)));
    // A pipe is written before this returns.
    process.stdout.write(`${number}\n`);
  }
}

await Promise.all(Array.from({ length: 20 }, client));
