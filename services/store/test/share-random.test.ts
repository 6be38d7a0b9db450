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
  | { readonly type: "resume"; readonly which: number }
  | { readonly type: "end" }
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
  fc.record({ type: fc.constant("resume" as const), which: fc.nat(9) }),
  fc.constant({ type: "end" as const }),
  fc.constant({ type: "crash" as const }),
  fc.constant({ type: "restart" as const }),
);

/** Every second message is taken at QoS 2: a session has it for good from the moment it gets it. */
function isForGood({ payload }: { payload: string }): boolean {
  return Number(payload) % 2 === 0;
}

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
  /** What belongs to sessions whose connection is gone. */
  readonly #kept = new Map<string, Dispatched>();
  /** Nobody may get these again in this life … */
  readonly #over = new Set<string>();
  /** … and never. */
  readonly #overForGood = new Set<string>();
  readonly finished = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    this.#peer = world.register(1);
  }

  get left(): number {
    return this.#held.size + this.#kept.size;
  }

  async take(one: Step): Promise<void> {
    if (one.type === "publish") this.#publish(one.count);
    if (one.type === "join") this.#join(one.window);
    if (one.type === "leave") this.#leave(one.which);
    if (one.type === "settle") await this.#settle(one.which, one.count);
    if (one.type === "resume") await this.#resume(one.which);
    if (one.type === "end") await this.#end();
    if (one.type === "wait") this.#world.time.advance(one.ms);
    if (one.type === "crash" || one.type === "restart") await this.#restart(one.type === "crash");
    await settled();
    this.#look();
  }

  #publish(count: number): void {
    const [topic] = topics(this.#world);
    for (let i = 0; i < count; i++) {
      this.#world.publish(1, { topic, payload: `${++this.published}`, qos: 2 });
    }
  }

  #join(window: number): void {
    this.#members.push(++this.#lastMember);
    const more = { durable: true, window, qos: 2 } as const;
    this.#world.shards.join(1, member(this.#lastMember, GROUP, more));
  }

  #leave(which: number): void {
    if (this.#members.length === 0) return;
    const [number] = this.#members.splice(which % this.#members.length, 1) as [number];
    const held = [...this.#held.values()].filter((one) => one.member === number);
    for (const one of held) this.#held.delete(one.payload);
    const keep = held.filter(isForGood);
    for (const one of keep) this.#kept.set(one.payload, one);
    this.#world.shards.leave(1, number, keep, []);
  }

  async #settle(which: number, count: number): Promise<void> {
    const held = [...this.#held.values()].slice(which % Math.max(1, this.#held.size));
    for (const one of held.slice(0, count)) {
      this.#held.delete(one.payload);
      if (isForGood(one)) await this.#settleDurably(one);
      else this.#world.shards.settle(1, one.member, one.shard, one.offset);
      this.#over.add(one.payload);
      this.finished.add(one.payload);
    }
  }

  async #settleDurably(one: Dispatched): Promise<void> {
    await this.#world.shards.settleDurably(GROUP, one.shard, one.offset);
    this.#forget(one);
  }

  /** The session came back and went on with one of its own. */
  async #resume(which: number): Promise<void> {
    const kept = [...this.#kept.values()][which % Math.max(1, this.#kept.size)];
    if (kept === undefined) return;
    this.#kept.delete(kept.payload);
    await this.#settleDurably(kept);
    this.finished.add(kept.payload);
  }

  /** The sessions that were away have ended, some time later: nobody gets what was theirs. */
  async #end(): Promise<void> {
    this.#world.time.advance(200);
    await settled();
    for (const one of this.#kept.values()) {
      this.#forget(one);
      this.finished.add(one.payload);
    }
    this.#kept.clear();
  }

  #forget({ shard, offset }: Dispatched): void {
    const key = `${GROUP} ${shard}`;
    const { unfinished } = this.#world.sessions;
    unfinished.set(
      key,
      (unfinished.get(key) ?? []).filter((other) => other !== offset),
    );
  }

  async #restart(isCrash: boolean): Promise<void> {
    if (!isCrash) await this.#world.service.stop();
    await this.#world.restart();
    this.#peer = this.#world.register(1);
    this.#seen = 0;
    this.#members = [];
    for (const one of this.#held.values()) if (isForGood(one)) this.#kept.set(one.payload, one);
    this.#held.clear();
    if (isCrash) this.#over.clear();
  }

  #look(): void {
    for (const one of this.#peer.dispatched.slice(this.#seen)) {
      const { payload, shard, offset } = one;
      // Nobody gets what somebody else has, or what is finished; a crash may undo the latter.
      if (this.#held.has(payload)) throw new Error(`${payload} is with two members`);
      if (this.#over.has(payload)) throw new Error(`${payload} came again`);
      if (this.#overForGood.has(payload)) throw new Error(`${payload} was taken from its session`);
      if (!this.#members.includes(one.member)) throw new Error(`${one.member} is not there`);
      this.#held.set(payload, one);
      if (!isForGood(one)) continue;
      this.#overForGood.add(payload);
      const key = `${GROUP} ${shard}`;
      const { unfinished } = this.#world.sessions;
      unfinished.set(key, [...(unfinished.get(key) ?? []), offset]);
    }
    this.#seen = this.#peer.dispatched.length;
  }
}

describe("shared groups, whatever happens", () => {
  test("[MQTT-4.8.2-4] [MQTT-4.8.2-5] each message is with one member at a time, at QoS 2 with one for good", async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (story) => {
        const world = await startedWorld();
        await world.route(GROUP);
        const group = new Story(world);
        for (const one of story) await group.take(one);
        await group.take({ type: "join", window: 1_000 });
        for (let i = 0; i < 3 || group.left > 0; i++) {
          await group.take({ type: "settle", which: 0, count: 1_000 });
          await group.take({ type: "resume", which: 0 });
        }
        expect(group.finished.size).toBe(group.published);
        await passes(world, 8);
        expect(world.shards.counts().queuedMessages).toBe(0);
      }),
      { numRuns: 200 },
    );
  }, 30_000);
});
