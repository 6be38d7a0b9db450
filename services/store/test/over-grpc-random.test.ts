/** Gateways over connections that break, to store processes between which a shard moves. */

import type { Push, Shards } from "@canopy/store";
import { type TcpProxy, waitFor } from "@canopy/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordingPeer } from "./harness.ts";
import { OverGrpc } from "./over-grpc.ts";
import { Several } from "./several.ts";

const PUBLISHER = 100;
const SUBSCRIBER = 101;
const TOPIC = "a";
const INTEREST = { filter: TOPIC, add: true, transient: true };

type Action =
  | { readonly type: "publish"; readonly messages: number }
  | { readonly type: "cut"; readonly store: number }
  | { readonly type: "move"; readonly owner: number }
  | { readonly type: "wait"; readonly turns: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("publish" as const),
      messages: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("cut" as const), store: fc.constantFrom(1, 2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("move" as const), owner: fc.constantFrom(1, 2) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      turns: fc.integer({ min: 1, max: 30 }),
    }),
  },
);

/** Has somebody transient: what is for readers alone is not for it. */
class Subscriber extends RecordingPeer {
  override push(push: Push): void {
    super.push(push.readersOnly === true ? { ...push, indexes: [] } : push);
  }
}

/** A durable session somewhere has the topic, and a transient one at the subscriber. */
class Story {
  readonly reach: OverGrpc;
  readonly several: Several;
  readonly shards: Shards;
  readonly publisher: RecordingPeer;
  readonly subscriber: Subscriber;
  #seq = 0;
  published = 0;
  #epoch = 1;
  readonly #moves: Promise<void>[] = [];
  readonly #interest: Promise<unknown>;

  private constructor(reach: OverGrpc, several: Several) {
    this.reach = reach;
    this.several = several;
    this.shards = several.connect();
    this.publisher = new RecordingPeer(PUBLISHER, this.shards);
    const subscribing = several.connect();
    this.subscriber = new Subscriber(SUBSCRIBER, subscribing);
    this.shards.register(PUBLISHER, this.publisher);
    subscribing.register(SUBSCRIBER, this.subscriber);
    this.#interest = subscribing.interests(SUBSCRIBER, [INTEREST]);
  }

  static async begin(): Promise<Story> {
    const reach = new OverGrpc();
    const several = new Several(reach);
    for (const { sessions } of several.processes.values()) sessions.filters.add(TOPIC);
    await several.start();
    for (const { control } of several.processes.values()) {
      for (const gateway of [PUBLISHER, SUBSCRIBER]) control.gatewayUp(gateway);
    }
    const story = new Story(reach, several);
    await Promise.all([several.own(story.shard, 1, 1), story.#interest]);
    return story;
  }

  get shard(): number {
    return this.several.first.topic(TOPIC).shard;
  }

  async perform(what: Action): Promise<void> {
    if (what.type === "publish") this.#publish(what.messages);
    else if (what.type === "cut") (this.reach.ways.get(what.store) as TcpProxy).cut();
    else if (what.type === "move") this.#move(what.owner);
    else for (let left = what.turns; left > 0; left--) await new Promise(setImmediate);
  }

  /** Every move has ended, and every message has its answer. */
  async end(): Promise<void> {
    await Promise.all(this.#moves);
    await waitFor(() => this.publisher.answers.length === this.published);
  }

  async stored(): Promise<string[]> {
    const { shard } = this;
    const queues = [{ queue: TOPIC, after: 0 }];
    const [read] = await this.shards.read([{ shard, queues, messages: 10_000, bytes: 2 ** 30 }]);
    const { first } = this.several;
    return (read?.messages ?? []).map(({ bytes, start, end }) =>
      first.payload(bytes.subarray(start, end)),
    );
  }

  #publish(count: number): void {
    const messages = Array.from({ length: count }, () => {
      return { topic: TOPIC, payload: `${++this.published}`, qos: 1 } as const;
    });
    this.shards.publish({ ...this.several.first.batch(PUBLISHER, messages), seq: ++this.#seq });
  }

  #move(owner: number): void {
    for (const [store, { control }] of this.several.processes) {
      if (store !== owner) this.#moves.push(control.lose(this.shard));
    }
    this.#moves.push(this.several.own(this.shard, ++this.#epoch, owner));
  }
}

test("nothing that is acknowledged is lost, comes twice or out of order", {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
      const story = await Story.begin();
      try {
        const { publisher, subscriber } = story;
        for (const what of actions) await story.perform(what);
        await story.end();
        const all = Array.from({ length: story.published }, (_, i) => `${i + 1}`);
        expect(new Set(publisher.codes())).toEqual(new Set(all.length === 0 ? [] : [0]));
        expect(subscriber.payloads()).toEqual(all);
        expect(await story.stored()).toEqual(all);
      } finally {
        await story.several.stop();
      }
    }),
    { numRuns: 12 },
  );
});
