import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Sent, settled, startedWorld, type World } from "./harness.ts";

type Step =
  | { readonly type: "publish"; readonly messages: readonly Shape[] }
  | { readonly type: "fail"; readonly code: "unavailable" | "full" | undefined }
  | { readonly type: "hold" }
  | { readonly type: "release" }
  | { readonly type: "fence" }
  | { readonly type: "wait"; readonly ms: number };

interface Shape {
  readonly topic: number;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly receipt: boolean;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  topic: fc.nat(3),
  qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
  retain: fc.boolean(),
  receipt: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("publish" as const),
      messages: fc.array(shape, { minLength: 1, maxLength: 5 }),
    }),
  },
  fc.record({
    type: fc.constant("fail" as const),
    code: fc.constantFrom("unavailable" as const, "full" as const, undefined),
  }),
  fc.constant({ type: "hold" as const }),
  fc.constant({ type: "release" as const }),
  fc.constant({ type: "fence" as const }),
  fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(100, 300, 5_000) }),
);

const SHARD = 1;
/** Of four topics, these have a queue. */
const KEPT = [0, 1];

/** A world in which everything goes wrong, and what was given to it. */
class Story {
  readonly world: World;
  readonly names: readonly string[];
  readonly sent: { readonly name: string; readonly shape: Shape; readonly batch: object }[] = [];
  #release: (() => void) | undefined;
  #receipts = 0;

  constructor(world: World) {
    this.world = world;
    this.names = world.neighbours(4);
  }

  async take(one: Step): Promise<void> {
    const { disk, time } = this.world;
    if (one.type === "publish") this.#publish(one.messages);
    if (one.type === "fail") disk.fault = one.code;
    if (one.type === "hold") this.#release ??= this.world.holdDisk();
    if (one.type === "release") this.release();
    if (one.type === "fence") disk.shard(SHARD).epoch++;
    if (one.type === "wait") time.advance(one.ms);
    await settled();
  }

  release(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #publish(shapes: readonly Shape[]): void {
    const messages = shapes.map(({ topic, qos, retain, receipt }, i): Sent => {
      const payload = `${this.sent.length + i}`;
      const base = { topic: this.names[topic]!, qos, retain, payload };
      return receipt && qos === 2 ? { ...base, receipt: [1, ++this.#receipts] } : base;
    });
    const batch = this.world.batch(1, messages);
    for (const [i, { payload }] of messages.entries()) {
      this.sent.push({ name: payload!, shape: shapes[i]!, batch });
    }
    this.world.shards.publish(batch);
  }
}

describe("publishing, whatever the backend does", () => {
  test("every message has one answer that is true, and order is kept [MQTT-4.6.0-5]", async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const world = await startedWorld();
        const story = new Story(world);
        const peer = world.register(1);
        await world.subscribe(1, "#");
        await world.route(...KEPT.map((i) => story.names[i]!));
        for (const one of taken) await story.take(one);
        story.release();
        await story.take({ type: "fail", code: undefined });
        await story.take({ type: "wait", ms: 60_000 });

        // Each batch comes back once, each message of QoS ≥ 1 has one answer.
        const batches = new Set(story.sent.map(({ batch }) => batch));
        expect(new Set(peer.back)).toEqual(batches);
        expect(peer.back).toHaveLength(batches.size);
        expect(peer.answers).toHaveLength(story.sent.filter(({ shape }) => shape.qos > 0).length);

        const pushed = peer.payloads();
        expect(new Set(pushed).size).toBe(pushed.length);
        for (const [i, name] of story.names.entries()) {
          for (const qos of [0, 1, 2]) {
            const order = story.sent
              .filter(({ shape }) => shape.topic === i && shape.qos === qos)
              .map((sent) => sent.name)
              .filter((sent) => pushed.includes(sent));
            const mine = peer.pushed.filter(
              ({ topic, payload }) =>
                topic === name && story.sent[Number(payload)]!.shape.qos === qos,
            );
            expect(mine.map(({ payload }) => payload)).toEqual(order);
          }
        }

        const stored = new Set<string>();
        for (const i of KEPT) {
          // The first read may find the shard lost; it is opened again then.
          await world.read(story.names[i]!, SHARD).catch(settled);
          const queue = await world.read(story.names[i]!, SHARD);
          const offsets = peer.pushed.filter(
            ({ topic, offset }) => topic === story.names[i] && offset > 0,
          );
          expect(queue).toEqual(offsets);
          for (const { payload } of queue) stored.add(payload);
        }
        const answers = new Map<string, number>();
        for (const { batch, index, code } of peer.answers) {
          const first = story.sent.findIndex((sent) => sent.batch === batch);
          answers.set(story.sent[first + index]!.name, code);
        }
        const isSafe = ({ name, shape }: { name: string; shape: Shape }): boolean =>
          shape.qos === 0 || answers.get(name) === 0;
        const safe = story.sent.filter(isSafe);
        expect(safe.filter(({ name }) => !pushed.includes(name))).toEqual([]);
        const kept = safe.filter(({ shape }) => shape.qos > 0 && KEPT.includes(shape.topic));
        expect(kept.filter(({ name }) => !stored.has(name))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  }, 30_000);
});
