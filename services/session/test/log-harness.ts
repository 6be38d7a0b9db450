import { silentLogger } from "@canopy/base";
import { testScope } from "@canopy/testkit";
import { LocalLog, type LogOptions } from "../src/log/log.ts";
import { Recorder } from "./recorder.ts";

export interface OpenedLog {
  readonly log: LocalLog;
  readonly recorder: Recorder;
}

/** A log over a recorder, closed at the end of the test. */
export async function openLog(
  directory: string,
  options: Partial<LogOptions> = {},
): Promise<OpenedLog> {
  const recorder = new Recorder();
  const log = new LocalLog({
    directory,
    machine: recorder,
    logger: silentLogger,
    durability: "sync",
    snapshotEvery: 2 ** 30,
    ...options,
  });
  testScope().defer(() => log.close());
  await log.open();
  return { log, recorder };
}

/** What is in the directory, by a log that is closed again. */
export async function contentOf(directory: string): Promise<readonly string[]> {
  const { log, recorder } = await openLog(directory);
  await log.close();
  return recorder.commands;
}

export function propose(log: LocalLog, text: string): Promise<unknown> {
  return log.propose(Buffer.from(text, "latin1"));
}
