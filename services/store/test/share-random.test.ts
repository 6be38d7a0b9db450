import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GROUP, passes, topics } from "./groups.ts";
import {
  type Dispatched,
  member,
  type RecordingPeer,
  settled,
  startedWorld,
  type World,
} from "./harness.ts";

type Step =
  | { readonly type: "publish"; readonly count: number }
  | { readonly type: "join"; readonly window: number }
  | { readonly type: "leave"; readonly which: number }
  | { readonly type: "settle"; readonly which: number; readonly count: number }
  | { readonly type: "wait"; readonly ms: number }
  | { readonly type: "crash" }
  | { readonly type: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ type: fc.constant("join" as const), window: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ type: fc.constant("leave" as const), which: fc.nat(9) }),
  fc.record({
    type: fc.constant("settle" as const),
    which: fc.nat(9),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(50, 200, 1_000) }),
  fc.constant({ type: "crash" as const }),
  fc.constant({ type: "restart" as const }),
);

/** A group with members that come, go and acknowledge as they like; what it may do is checked. */
class Story {
  readonly #world: World;
  #peer: RecordingPeer;
  #seen = 0;
  #members: number[] = [];
  #lastMember = 0;
  published = 0;
  /** Payload → who has it now. */
  readonly #held = new Map<string, Dispatched>();
  readonly #finishedInThisLife = new Set<string>();
  readonly finished = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    this.#peer = world.register(1);
  }

  async take(one: Step): Promise<void> {
    if (one.type === "publish") this.#publish(one.count);
    if (one.type === "join") this.join(one.window);
    if (one.type === "leave") this.#leave(one.which);
    if (one.type === "settle") this.settle(one.which, one.count);
    if (one.type === "wait") this.#world.time.advance(one.ms);
    if (one.type === "crash" || one.type === "restart") await this.#restart(one.type === "crash");
    await settled();
    this.#look();
  }

  join(window: number): void {
    this.#members.push(++this.#lastMember);
    this.#world.shards.join(1, member(this.#lastMember, GROUP, { durable: true, window }));
  }

  settle(which: number, count: number): void {
    const held = [...this.#held].slice(which % Math.max(1, this.#held.size)).slice(0, count);
    for (const [payload, { member: number, shard, offset }] of held) {
      this.#held.delete(payload);
      this.#finishedInThisLife.add(payload);
      this.finished.add(payload);
      this.#world.shards.settle(1, number, shard, offset);
    }
  }

  get held(): number {
    return this.#held.size;
  }

  #publish(count: number): void {
    const [topic] = topics(this.#world);
    for (let i = 0; i < count; i++) {
      this.#world.publish(1, { topic, payload: `${++this.published}`, qos: 1 });
    }
  }

  #leave(which: number): void {
    if (this.#members.length === 0) return;
    const [number] = this.#members.splice(which % this.#members.length, 1) as [number];
    for (const [payload, held] of this.#held) {
      if (held.member === number) this.#held.delete(payload);
    }
    this.#world.shards.leave(1, number, [], []);
  }

  async #restart(isCrash: boolean): Promise<void> {
    if (!isCrash) await this.#world.service.stop();
    await this.#world.restart();
    this.#peer = this.#world.register(1);
    this.#seen = 0;
    this.#members = [];
    this.#held.clear();
    if (isCrash) this.#finishedInThisLife.clear();
  }

  #look(): void {
    for (const one of this.#peer.dispatched.slice(this.#seen)) {
      // Nobody gets what somebody else has, or what is finished; a crash may undo the latter.
      if (this.#held.has(one.payload)) throw new Error(`${one.payload} is with two members`);
      if (this.#finishedInThisLife.has(one.payload)) throw new Error(`${one.payload} came again`);
      if (!this.#members.includes(one.member)) throw new Error(`${one.member} is not there`);
      this.#held.set(one.payload, one);
    }
    this.#seen = this.#peer.dispatched.length;
  }
}

describe("shared groups, whatever happens", () => {
  test("each message is with one member at a time, and in the end everything is finished", async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (story) => {
        const world = await startedWorld();
        await world.route(GROUP);
        const group = new Story(world);
        for (const one of story) await group.take(one);
        await group.take({ type: "join", window: 1_000 });
        for (let i = 0; i < 3 || group.held > 0; i++) {
          await group.take({ type: "settle", which: 0, count: 1_000 });
        }
        expect(group.finished.size).toBe(group.published);
        await passes(world, 8);
        expect(world.shards.counts().queuedMessages).toBe(0);
      }),
      { numRuns: 200 },
    );
  }, 30_000);
});
