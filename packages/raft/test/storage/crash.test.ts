import { type Random, randomBool, randomInt, seededRandom, silentLogger } from "@canopy/base";
import { describe, expect, test } from "vitest";
import { type GroupWrite, openStorage, type RaftStorage } from "../../src/index.ts";
import { BEGINNING, entry, meta } from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { expectPrefix, Model } from "./model.ts";

const DIRECTORY = "/raft";
const RUNS = Number(process.env["STORAGE_RUNS"] ?? 400);
const LIVES = 4;

const immediate = {
  set: (_ms: number, fn: () => void) => {
    const handle = setImmediate(fn);
    return { cancel: () => clearImmediate(handle) };
  },
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class CrashRun {
  readonly random: Random;
  readonly sync: boolean;
  disk: MemoryDisk = new MemoryDisk();
  history: Model[] = [new Model()];
  acknowledged = 0;
  /** The newest write that was acknowledged: they come in the order given. */
  #last = 0;
  killed = false;
  inOrder = true;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.sync = seed % 4 !== 0;
  }

  async run(): Promise<void> {
    for (let life = 0; life < LIVES; life++) {
      const storage = await this.#open();
      const count = expectPrefix(storage.groups, this.history, this.acknowledged);
      this.history = [this.history[count]!];
      this.acknowledged = 0;
      this.#last = 0;
      await this.#live(storage);
    }
  }

  async #open(): Promise<RaftStorage> {
    // A start that is interrupted must be as good as none.
    if (randomBool(this.random, 0.3)) {
      const stopAt = this.disk.operations + randomInt(this.random, 30);
      this.#stopAt(stopAt);
      const started = this.#storage().start();
      started.catch(() => {});
      for (let i = 0; i < 40 && !this.killed; i++) await turn();
      await this.#crash();
    }
    const storage = this.#storage();
    await storage.start();
    return storage;
  }

  #storage(): RaftStorage {
    return openStorage({
      directory: DIRECTORY,
      disk: this.disk,
      random: this.random,
      timers: immediate,
      logger: silentLogger,
      durability: this.sync ? "sync" : "os",
      segmentBytes: 1024,
    });
  }

  /** Everything that the disk is asked from there on is never done. */
  #stopAt(operation: number): void {
    this.disk.before = () => {
      if (this.disk.operations < operation) return undefined;
      this.killed = true;
      return new Promise(() => {});
    };
  }

  async #live(storage: RaftStorage): Promise<void> {
    const steps = 10 + randomInt(this.random, 60);
    const crashAt = this.disk.operations + randomInt(this.random, steps * 3);
    const troubleAt = randomInt(this.random, 3) === 0 ? randomInt(this.random, steps) : steps;
    this.disk.random = this.random;
    this.#stopAt(crashAt);
    for (let step = 0; step < steps && !this.killed; step++) {
      if (step === troubleAt) this.#trouble(crashAt);
      if (step === troubleAt + 5) this.#stopAt(crashAt);
      await this.#step(storage);
      if (randomBool(this.random, 0.6)) await turn();
    }
    for (let i = 0; i < 10; i++) await turn();
    await this.#crash();
  }

  #trouble(crashAt: number): void {
    this.disk.partOfWrite = randomInt(this.random, 300);
    this.disk.before = (operation) => {
      if (this.disk.operations >= crashAt) {
        this.killed = true;
        return new Promise(() => {});
      }
      const fails = operation !== "open" && randomBool(this.random, 0.5);
      if (fails) throw new Error(`EIO: ${operation}`);
      return undefined;
    };
  }

  async #crash(): Promise<void> {
    this.killed = false;
    // With durability `os` a process may be killed, but what it wrote stays.
    this.disk = this.sync ? this.disk.crashed(this.random) : this.disk.copy();
  }

  async #step(storage: RaftStorage): Promise<void> {
    const model = this.history.at(-1)!;
    const group = randomInt(this.random, 3);
    const kind = randomInt(this.random, 20);
    if (!model.groups.includes(group)) {
      const changed = model.copy();
      changed.create(group, BEGINNING);
      const given = this.#given(changed);
      // A promise settles a little later than what is called back.
      storage.create(group, group + 1, BEGINNING).then(
        () => given(false),
        () => {},
      );
      await turn();
    } else if (kind === 0) await this.#snapshot(storage, group);
    else if (kind === 1) await this.#install(storage, group);
    else this.#write(storage, this.#entries(group));
  }

  #given(changed: Model): (inOrder?: boolean) => void {
    this.history.push(changed);
    const number = this.history.length - 1;
    return (inOrder = true) => {
      if (inOrder && number <= this.#last) this.inOrder = false;
      if (inOrder) this.#last = number;
      this.acknowledged = Math.max(this.acknowledged, number);
    };
  }

  #write(storage: RaftStorage, write: GroupWrite): void {
    const changed = this.history.at(-1)!.copy();
    changed.write(write);
    const given = this.#given(changed);
    storage.write(write, () => given());
  }

  #entries(group: number): GroupWrite {
    const model = this.history.at(-1)!;
    const { term, commit } = model.hardState(group);
    const last = model.last(group);
    const back = randomBool(this.random, 0.2) ? randomInt(this.random, last - commit + 1) : 0;
    const newTerm = term + (back > 0 || randomBool(this.random, 0.1) ? 1 : 0);
    const first = last - back + 1;
    const count = randomInt(this.random, 4);
    const text = "x".repeat(randomInt(this.random, 150));
    const entries = Array.from({ length: count }, (_, i) => entry(first + i, newTerm, text));
    const end = count > 0 ? first + count - 1 : last;
    const newCommit = Math.max(commit, Math.min(end, first - 1) - randomInt(this.random, 4));
    const hardState = { term: newTerm, vote: randomInt(this.random, 3), commit: newCommit };
    return { group, hardState, entries, snapshot: undefined };
  }

  /** Of what is committed and acknowledged, as a host takes it. */
  async #snapshot(storage: RaftStorage, group: number): Promise<void> {
    const model = this.history[this.acknowledged]!;
    if (!model.groups.includes(group)) return;
    const { commit } = model.hardState(group);
    if (commit <= model.base(group).index) return;
    const known = meta(commit, model.term(group, commit));
    const saved = storage.snapshots.create(group, known).then(async (writer) => {
      await writer.write(Buffer.from(`state ${commit}`));
      await writer.finish();
      storage.compact(group, commit - randomInt(this.random, 3));
      await storage.snapshots.prune(group, commit);
    });
    await Promise.race([saved.catch(() => {}), turns(20)]);
  }

  async #install(storage: RaftStorage, group: number): Promise<void> {
    const model = this.history.at(-1)!;
    const { term } = model.hardState(group);
    const index = model.last(group) + 1 + randomInt(this.random, 5);
    const known = meta(index, term);
    const saved = storage.snapshots.create(group, known).then(async (writer) => {
      await writer.write(Buffer.from(`state ${index}`));
      await writer.finish();
      return true;
    });
    const isThere = await Promise.race([saved.catch(() => false), turns(20)]);
    if (isThere !== true) return;
    const hardState = { term, vote: 0, commit: index };
    this.#write(storage, { group, hardState, entries: [], snapshot: known });
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

describe("a crash at any operation of the disk", () => {
  test("leaves a prefix of whole writes with everything that was acknowledged", async () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const run = new CrashRun(seed);
      await run.run().catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
      expect(run.inOrder, `seed ${seed}: told in order`).toBe(true);
    }
  }, 60_000);
});
