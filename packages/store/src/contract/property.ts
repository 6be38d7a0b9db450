import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { MemoryDisk, MemoryStore } from "../memory.ts";
import { type Append, type Offset, type ShardStore, storedBody } from "../port.ts";
import {
  ALL,
  allRetained,
  appendOf,
  Bench,
  type ContractOptions,
  change,
  contents,
  firstOf,
  type MakeHarness,
  text,
} from "./harness.ts";

const QUEUES = ["a", "b/+", "#", "$share/g/x", "ü"];
const TOPICS = ["t", "t/1", "t/2", "u/1", "$SYS/x"];
const FILTERS = ["#", "t/+", "t/#", "+", "u/1", "$SYS/#", "nobody"];
const SENDERS = ["g1", "g2", "s1"];

type Step =
  | { readonly kind: "append"; readonly appends: readonly Content[] }
  | { readonly kind: "trim" | "drop"; readonly queue: number; readonly part: number }
  | { readonly kind: "remove"; readonly queue: number }
  | {
      readonly kind: "read";
      readonly queues: readonly number[];
      readonly part: number;
      readonly messages: number;
      readonly bytes: number;
    }
  | { readonly kind: "retained"; readonly filter: number; readonly messages: number }
  | { readonly kind: "again"; readonly crash: boolean };

interface Content {
  readonly messages: readonly {
    readonly size: number;
    readonly queues: readonly number[];
    readonly retain: number;
  }[];
  readonly removed: readonly number[];
  readonly receipts: readonly {
    readonly session: number;
    readonly key: number;
    readonly add: boolean;
  }[];
  readonly ended: readonly number[];
  readonly sender: number;
  readonly progress: readonly { readonly queue: number; readonly size: number }[];
  readonly gap: number;
}

const index = (list: readonly unknown[]) => fc.nat(list.length - 1);

const content: fc.Arbitrary<Content> = fc.record({
  messages: fc.array(
    fc.record({
      size: fc.oneof(fc.nat(40), fc.integer({ min: 900, max: 3000 })),
      queues: fc.uniqueArray(index(QUEUES), { maxLength: 3 }),
      // Mostly none.
      retain: fc.integer({ min: -8, max: TOPICS.length - 1 }),
    }),
    { maxLength: 8 },
  ),
  removed: fc.array(index(TOPICS), { maxLength: 1 }),
  receipts: fc.array(fc.record({ session: fc.nat(3), key: fc.nat(4), add: fc.boolean() }), {
    maxLength: 2,
  }),
  ended: fc.array(fc.nat(3), { maxLength: 1 }),
  sender: fc.integer({ min: -1, max: SENDERS.length - 1 }),
  progress: fc.array(fc.record({ queue: index(QUEUES), size: fc.nat(3) }), { maxLength: 1 }),
  gap: fc.constantFrom(0, 0, 0, 5),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      appends: fc.array(content, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("trim" as const, "drop" as const),
      queue: index(QUEUES),
      part: fc.nat(100),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("remove" as const), queue: index(QUEUES) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      queues: fc.array(index(QUEUES), { minLength: 1, maxLength: 4 }),
      part: fc.nat(100),
      messages: fc.integer({ min: 1, max: 12 }),
      bytes: fc.integer({ min: 1, max: 6000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("retained" as const),
      filter: index(FILTERS),
      messages: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("again" as const), crash: fc.boolean() }) },
);

const nameOf = (names: readonly string[], i: number) => names[i] as string;

/** Drives the backend and the model with the same steps and compares what they answer. */
class Pair {
  readonly #bench: Bench;
  readonly #disk = new MemoryDisk();
  #model: ShardStore;
  #real: ShardStore;
  #epoch = 1;
  /** What must have left each queue: a crash may bring it back until it is trimmed again. */
  readonly #floors = new Map<string, Offset>();
  /** What may not come back. */
  readonly #dropped = new Map<string, Offset>();
  #count = 0;

  private constructor(bench: Bench, model: ShardStore, real: ShardStore) {
    this.#bench = bench;
    this.#model = model;
    this.#real = real;
  }

  static async make(bench: Bench): Promise<Pair> {
    const pair = new Pair(bench, {} as ShardStore, {} as ShardStore);
    await pair.#open();
    return pair;
  }

  async #open(): Promise<void> {
    const epoch = this.#epoch++;
    this.#model = await new MemoryStore(this.#disk).open(0, epoch);
    this.#real = await this.#bench.store.open(0, epoch);
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case "append":
        return this.#append(step.appends);
      case "trim":
      case "drop":
        return this.#trim(step.kind, nameOf(QUEUES, step.queue), step.part);
      case "remove":
        return this.#remove(nameOf(QUEUES, step.queue));
      case "read":
        return this.#read(step);
      case "retained":
        return this.#retained(nameOf(FILTERS, step.filter), step.messages);
      case "again":
        return this.#again(step.crash);
    }
  }

  async #append(list: readonly Content[]): Promise<void> {
    let next = firstOf(this.#model);
    const appends = list.map((item) => {
      const append = this.#appendOf(next + item.gap, item);
      if (append.ends.length > 0) next = append.first + append.ends.length;
      return append;
    });
    await Promise.all(appends.map((append) => this.#real.append(append)));
    await Promise.all(appends.map((append) => this.#model.append(append)));
    assert.deepEqual(this.#real.head, this.#model.head);
  }

  #appendOf(first: Offset, item: Content): Append {
    const append = appendOf(
      first,
      item.messages.map(({ size, queues, retain }) => ({
        body: `${this.#count++}.`.padEnd(size, "x"),
        queues: queues.map((queue) => nameOf(QUEUES, queue)),
        ...(retain < 0 ? {} : { retain: nameOf(TOPICS, retain) }),
      })),
    );
    const removals = item.removed.map((topic) => ({ topic: nameOf(TOPICS, topic), index: -1 }));
    const sender = {
      sender: SENDERS[item.sender] ?? "",
      term: 0,
      seq: this.#count % 4 === 0 ? 0 : this.#count,
    };
    return {
      ...append,
      retained: [...append.retained, ...removals],
      receipts: item.receipts,
      endedSessions: item.ended,
      senders: item.sender < 0 ? [] : [sender],
      progress: new Map(
        item.progress.map(({ queue, size }) => [nameOf(QUEUES, queue), Buffer.alloc(size, size)]),
      ),
    };
  }

  async #trim(kind: "trim" | "drop", queue: string, part: number): Promise<void> {
    const upTo = this.#position(part);
    const taken = await Promise.all([
      this.#model[kind](queue, upTo),
      this.#real[kind](queue, upTo),
    ]);
    assert.equal(taken[1], taken[0]);
    const floor = Math.min(upTo, this.#model.head);
    const isDropped = kind === "drop" && taken[0] > 0;
    for (const floors of isDropped ? [this.#floors, this.#dropped] : [this.#floors]) {
      floors.set(queue, Math.max(floors.get(queue) ?? 0, floor));
    }
  }

  async #remove(queue: string): Promise<void> {
    await Promise.all([this.#model.remove(queue), this.#real.remove(queue)]);
    this.#floors.set(queue, this.#model.head);
  }

  /** An offset about `part` per cent of the way through what was appended. */
  #position(part: number): Offset {
    const offsets = [...this.#disk.shard(0).bodies.keys()];
    return offsets[Math.floor((offsets.length * part) / 101)] ?? 0;
  }

  async #read(step: Step & { kind: "read" }): Promise<void> {
    const after = this.#position(step.part);
    const asked = step.queues.map((queue, i) => ({
      queue: nameOf(QUEUES, queue),
      after: i === 0 ? after : 0,
    }));
    const limits = { messages: step.messages, bytes: step.bytes };
    const [real, model] = await Promise.all([
      this.#real.read(asked, limits),
      this.#model.read(asked, limits),
    ]);
    const lines = (result: typeof real) =>
      result.messages.map((message) => {
        const { offset, queues } = message;
        return `${offset} ${text(storedBody(message))} ${queues.join()}`;
      });
    assert.deepEqual(lines(real), lines(model));
    assert.deepEqual(real.upTo, model.upTo);
    assert.deepEqual(real.limited, model.limited);
  }

  async #retained(filter: string, messages: number): Promise<void> {
    const found = async (shard: ShardStore) =>
      (await allRetained(shard, filter, { messages, bytes: 2 ** 30 }))
        .map(({ topic, offset, body }) => `${topic} ${offset} ${text(body)}`)
        .sort();
    assert.deepEqual(await found(this.#real), await found(this.#model));
  }

  async #again(crash: boolean): Promise<void> {
    if (crash) await this.#bench.crash();
    else await this.#bench.reopen();
    await this.#open();
    if (crash) await this.#trimAgain();
    await this.compare();
  }

  async #trimAgain(): Promise<void> {
    for (const queue of QUEUES) {
      const model = await contents(this.#model, queue);
      const real = await contents(this.#real, queue);
      // Trimmed messages may be back, but nothing else may be there or missing.
      assert.deepEqual(real.slice(real.length - model.length), model);
      const [stat] = await this.#real.stats([queue]);
      const dropped = this.#dropped.get(queue) ?? 0;
      assert.ok(stat === undefined || stat.messages === 0 || stat.first > dropped, queue);
      await this.#real.trim(queue, this.#floors.get(queue) ?? 0);
      if ((await this.#model.progress(queue)) === undefined) {
        await this.#real.append(change({ progress: new Map([[queue, new Uint8Array(0)]]) }));
      }
    }
  }

  /** Everything that can be asked is the same on both sides. */
  async compare(): Promise<void> {
    const real = this.#real;
    const model = this.#model;
    assert.deepEqual(real.head, model.head);
    assert.deepEqual(await real.stats(QUEUES), await model.stats(QUEUES));
    assert.deepEqual(
      (await real.stats()).map(({ queue }) => queue).sort(),
      (await model.stats()).map(({ queue }) => queue).sort(),
    );
    for (const queue of QUEUES) {
      assert.deepEqual(await contents(real, queue), await contents(model, queue));
      assert.deepEqual(
        Buffer.from((await real.progress(queue)) ?? []),
        Buffer.from((await model.progress(queue)) ?? []),
      );
      const limits = { messages: 5, bytes: 2000 };
      assert.deepEqual(await real.excess(queue, limits), await model.excess(queue, limits));
    }
    await this.#retained("#", ALL.messages);
    assert.deepEqual(real.retainedCount, model.retainedCount);
    for (const topic of TOPICS) assert.deepEqual(real.hasRetained(topic), model.hasRetained(topic));
    for (let session = 0; session < 4; session++) {
      assert.deepEqual(await real.receipts(session), await model.receipts(session));
    }
    for (const sender of SENDERS) assert.deepEqual(real.sender(sender), model.sender(sender));
  }
}

export function propertyTests(makeHarness: MakeHarness, options: ContractOptions): void {
  test("random histories read like the model, through closes and crashes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60, size: "max" }),
        async (steps) => {
          const harness = await makeHarness();
          const bench = new Bench(harness, await harness.open());
          try {
            const pair = await Pair.make(bench);
            for (const one of steps) await pair.run(one);
            await pair.compare();
          } finally {
            await bench.store.close();
            await harness.destroy();
          }
        },
      ),
      // one that hangs, or takes long to be made small, is told with its seed all the same
      { numRuns: options.runs ?? 40, timeout: 30_000, interruptAfterTimeLimit: 90_000 },
    );
  }, 150_000);
}
