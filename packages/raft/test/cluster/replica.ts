// One core with its disk and a state machine that remembers what it applied.
import { seededRandom } from "@canopy/base";
import {
  type Configuration,
  Core,
  type CoreOptions,
  type Entry,
  EntryKind,
  type Message,
  type ReadState,
  type Ready,
  type SnapshotMeta,
} from "../../src/index.ts";
import { ReplicaDisk } from "./disk.ts";

export const EMPTY: Configuration = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  highest: 0,
  nodes: new Map(),
};

export function configurationOf(
  voters: readonly number[],
  learners: readonly number[] = [],
): Configuration {
  const all = [...voters, ...learners];
  const nodes = new Map(all.map((id) => [id, { name: `n${id}`, disk: id }]));
  return { ...EMPTY, voters, learners, highest: Math.max(0, ...all), nodes };
}

export const DEFAULTS: Omit<CoreOptions, "id" | "random"> = {
  electionTicks: 10,
  heartbeatTicks: 1,
  maxAppendBytes: 1 << 20,
  maxInflightAppends: 256,
  maxInflightBytes: 1 << 24,
  maxUncommittedBytes: 1 << 24,
  maxApplyingBytes: 1 << 24,
};

export class Replica {
  readonly id: number;
  core!: Core;
  readonly disk: ReplicaDisk;
  /** Entries the state machine has, by index; those that a snapshot stands for are missing. */
  applied: Entry[] = [];
  reads: ReadState[] = [];
  /** Every Ready that was taken, for tests that look closely. */
  readonly readies: Ready[] = [];
  /** Writes reach the disk at once. */
  fastDisk = true;
  /** What is committed is applied at once. */
  fastApply = true;
  /** Committed and handed out, with snapshots to install first. */
  readonly toApply: (Entry | SnapshotMeta)[] = [];
  up = true;
  readonly #options: Partial<CoreOptions>;
  #lives = 0;

  constructor(id: number, configuration: Configuration, options: Partial<CoreOptions> = {}) {
    this.id = id;
    // First members stand behind index 1 of term 1, see RecoveredLog.
    const place = configuration.voters.length > 0 ? 1 : 0;
    this.disk = new ReplicaDisk({ index: place, term: place, configuration });
    this.#options = options;
    this.restart();
  }

  restart(): void {
    this.#lives++;
    const random = seededRandom(this.id * 1000 + this.#lives);
    const options = { ...DEFAULTS, id: this.id, random, ...this.#options };
    this.core = new Core(options, this.disk.recover());
    this.applied = this.applied.filter((entry) => entry.index <= this.disk.snapshot.index);
    this.toApply.length = 0;
    this.reads = [];
    this.up = true;
  }

  crash(): void {
    this.disk.pending.length = 0;
    this.up = false;
  }

  /** Does all there is to do; answers with what leaves for others. */
  pump(): Message[] {
    const out: Message[] = [];
    for (let ready = this.core.ready(); ready !== undefined; ready = this.core.ready()) {
      this.readies.push(ready);
      out.push(...ready.messages);
      this.reads.push(...ready.reads);
      if (ready.write > 0) this.disk.pending.push(ready);
      this.toApply.push(...ready.committed);
      if (this.fastDisk) out.push(...this.writeAll());
      if (this.fastApply) this.applyAll();
    }
    return out;
  }

  writeAll(): Message[] {
    const out: Message[] = [];
    while (this.disk.pending.length > 0) out.push(...this.writeOne());
    return out;
  }

  /** The oldest write completes; answers with what waited for it. */
  writeOne(): Message[] {
    const ready = this.disk.complete();
    this.core.written(ready.write);
    // What was handed out before it is void.
    if (ready.snapshot !== undefined) this.toApply.splice(0, Infinity, ready.snapshot);
    return [...ready.afterWrite];
  }

  applyAll(): void {
    while (this.toApply.length > 0) this.applyOne();
  }

  applyOne(): void {
    const next = this.toApply.shift();
    if (next === undefined) throw new Error("nothing is to be applied");
    if (!("kind" in next)) {
      this.applied = [];
      this.core.appliedTo(next.index);
      return;
    }
    if (next.kind === EntryKind.Configuration) this.core.applyConfiguration(next);
    this.applied.push(next);
    this.core.appliedTo(next.index);
  }

  /** The state machine's snapshot as of what is applied; entries up to `keep` before it stay. */
  compact(keep = 0): void {
    const { core, disk } = this;
    const index = core.applied;
    const meta = { index, term: core.termAt(index) ?? 0, configuration: core.configuration };
    disk.snapshot = meta;
    core.snapshotTaken(meta);
    const cut = Math.max(disk.prevIndex, index - keep);
    core.compact(cut);
    disk.compact(cut);
  }

  /** Commands that the state machine has, as text. */
  get commands(): string[] {
    const commands = this.applied.filter((entry) => entry.kind === EntryKind.Command);
    return commands.map((entry) => Buffer.from(entry.data).toString());
  }
}
