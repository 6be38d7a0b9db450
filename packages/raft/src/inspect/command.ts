/** `canopy raft inspect` and `canopy raft recover`. */
import type { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { readingDisk } from "../storage/disk.ts";
import { StorageError } from "../storage/port.ts";
import { openStorage } from "../storage/storage.ts";
import { inspectFolder, isSound } from "./report.ts";
import { carryOut, planRecovery, RecoverError, type RecoverPlan } from "./survivors.ts";
import { reportJson, reportText } from "./text.ts";

export interface RaftCommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

const usage = `Usage: canopy raft inspect [--json] [--frames] DIR
       canopy raft recover DIR --group G --keep REPLICA[,REPLICA…] --yes [--json]

inspect prints what is in the log and the snapshots of DIR, and what is damaged. It only reads.

recover is for a group of which a majority of the voters is lost for good. On each node that
is kept, while it is stopped, it makes the replicas that are kept the only voters. What only the
others had is lost.

      --group G    the group's number
      --keep IDS   one or two surviving replicas, those with the newest logs (the higher term, or
                   of one term the higher index); the same on each of their nodes
      --yes        do it; without it only what would be done is printed
      --json       print as JSON
      --frames     print every frame
  -h, --help       show this
`;

/** argv is what follows "raft". Resolves to the exit code: 0; 1 if damaged; 2 if refused. */
export async function raftCommand(argv: readonly string[], io: RaftCommandIo): Promise<number> {
  try {
    return await run(argv, io);
  } catch (error) {
    if (!isExpected(error)) throw error;
    io.stderr.write(`canopy raft: ${error.message}\n`);
    return 2;
  }
}

async function run(argv: readonly string[], io: RaftCommandIo): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.help) {
    io.stdout.write(usage);
    return 0;
  }
  const [command, directory] = positionals;
  if (directory === undefined || positionals.length > 2) {
    throw new RecoverError(`expected inspect or recover, and DIR\n\n${usage}`);
  }
  if (command !== "inspect" && command !== "recover") {
    throw new RecoverError(`no command ${command}\n\n${usage}`);
  }
  const foreign = FOREIGN[command].find((option) => values[option] !== undefined);
  if (foreign !== undefined) throw new RecoverError(`${command} takes no --${foreign}`);
  const { json = false, frames = false, yes = false } = values;
  if (command === "inspect") return inspect(directory, { json, frames }, io);
  const group = numberOf(values.group);
  const keep = values.keep?.split(",").map(numberOf) ?? [];
  if (group === undefined) throw new RecoverError("--group takes a number");
  if (keep.length === 0 || !keep.every((id) => id !== undefined && id > 0)) {
    throw new RecoverError("--keep takes ids of replicas, separated by commas");
  }
  return recover(directory, group, keep as number[], { json, yes }, io);
}

/** Options of the other command. */
const FOREIGN = { inspect: ["group", "keep", "yes"], recover: ["frames"] } as const;

/** Digits only: Number() takes nothing at all for 0. */
function numberOf(text: string | undefined): number | undefined {
  const number = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      frames: { type: "boolean" },
      group: { type: "string" },
      keep: { type: "string" },
      yes: { type: "boolean" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

async function inspect(
  directory: string,
  { json, frames }: { readonly json: boolean; readonly frames: boolean },
  io: RaftCommandIo,
): Promise<number> {
  const report = await inspectFolder(readingDisk, directory);
  if (report.segments.length === 0 && report.snapshots.length === 0) throw noLogIn(directory);
  io.stdout.write(json ? reportJson(report) : reportText(report, frames));
  return isSound(report) ? 0 : 1;
}

async function recover(
  directory: string,
  group: number,
  keep: readonly number[],
  { json, yes }: { readonly json: boolean; readonly yes: boolean },
  io: RaftCommandIo,
): Promise<number> {
  // A start would make a folder that is not there.
  const found = await inspectFolder(readingDisk, directory);
  if (found.segments.length === 0) throw noLogIn(directory);
  const storage = openStorage({ directory });
  try {
    await storage.start();
    const plan = planRecovery(storage, group, keep);
    io.stderr.write(warning(plan));
    if (!yes) {
      io.stderr.write(`canopy raft: group ${group} was not changed; say --yes to do it\n`);
      return 2;
    }
    await carryOut(storage, plan);
    io.stdout.write(json ? `${JSON.stringify(outcome(plan))}\n` : done(plan));
    return 0;
  } finally {
    await storage.stop();
  }
}

function noLogIn(directory: string): RecoverError {
  return new RecoverError(`there is no log in ${directory}`);
}

function outcome({ group, replica, after, term, lastIndex }: RecoverPlan): object {
  return { group, replica, voters: after.voters, term, lastIndex };
}

function done({ group, after, term }: RecoverPlan): string {
  return `group ${group}: voters are ${after.voters.join(",")}, term ${term}\n`;
}

function warning(plan: RecoverPlan): string {
  const { group, replica, before, after, commit, lastIndex, lastTerm } = plan;
  const members = [...before.voters, ...before.outgoing, ...before.learners];
  const lost = [...new Set(members)].filter((id) => !after.voters.includes(id));
  return [
    `WARNING: group ${group}, replica ${replica}: data may be lost for good.`,
    `  Given up: replicas ${lost.join(", ") || "none"}. What only they had is lost, also where it was acknowledged.`,
    `  This replica has entries up to ${lastIndex} (term ${lastTerm}) and knows that those up to ${commit} were committed;`,
    "  those behind may be kept though they were never acknowledged, or be lost though they were.",
    "  If one of those given up still runs, or comes back, the group is split in two: stop them,",
    "  and wipe their folders before they are added again under new ids.",
    `  Do the same on every node that is kept (replicas ${after.voters.join(", ")}) before any is started.`,
    "",
  ].join("\n");
}

/** Wrong arguments, a folder that can't be used, and what the file system refuses. */
function isExpected(error: unknown): error is Error {
  if (error instanceof RecoverError || error instanceof StorageError) return true;
  if (!(error instanceof Error)) return false;
  const fromArguments = "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
  return fromArguments || "syscall" in error;
}
