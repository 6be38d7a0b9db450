/** Shared groups in words: used by the tests of share*. */
import { type member, type RecordingPeer, settled, type World } from "./harness.ts";

export const GROUP = "$share/g/s/#";

export async function publish(world: World, count: number, from = 1): Promise<number> {
  const [topic] = topics(world);
  for (let i = 0; i < count; i++) world.publish(1, { topic, payload: `${from + i}`, qos: 1 });
  await settled();
  return world.topic(topic).shard;
}

/** Topics under `s/` that are in one shard. */
export function topics(world: World, count = 1): [string, ...string[]] {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) {
    if (world.topic(`s/${i}`).shard === 2) names.push(`s/${i}`);
  }
  return names as [string];
}

export function got(peer: RecordingPeer, number: number): string[] {
  return peer.dispatched.filter((one) => one.member === number).map(({ payload }) => payload);
}

export function join(world: World, ...members: ReturnType<typeof member>[]): void {
  for (const one of members) world.shards.join(1, one);
}

/** Acknowledges everything at once. */
export function settleAll(world: World, peer: RecordingPeer): void {
  peer.onDispatch = (one) => world.shards.settle(1, one.member, one.shard, one.offset);
}

export async function passes(world: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.time.advance(1_000);
    await settled();
  }
}
