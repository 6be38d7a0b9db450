import { seededRandom } from "@canopy/base";
import {
  ControlError,
  type SessionNode,
  type VersionedChange,
  type WholeView,
} from "@canopy/control";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import { FakeControl, settled } from "../test/fake-control.ts";
import { ViewFollower } from "./control-follower.ts";

const whole: WholeView = {
  version: 5,
  shards: 1,
  groups: 1,
  members: [],
  down: [],
  places: [{ shard: 0, owner: 0, epoch: 0, home: "" }],
  nodes: [],
  bans: [],
};

const nodeOf = (name: string): SessionNode => {
  return { name, address: "", disk: 1, replica: 1, standing: "member", drained: false };
};

const node = (version: number): VersionedChange => ({
  version,
  change: { type: "node", node: nodeOf(`n${version}`) },
});

function start() {
  const time = new FakeTime();
  const control = new FakeControl();
  const follower = new ViewFollower({ control, timers: time, random: seededRandom(1) });
  follower.start();
  const last = () => control.watched.at(-1) as (typeof control.watched)[number];
  return { time, control, follower, last };
}

const gone = new ControlError("closed", "gone");

test("a view is followed, and taken up where a watch ended", () => {
  const { time, control, follower, last } = start();
  expect(last().after).toBe(0);
  last().sink.whole(whole);
  last().sink.changes([node(6)], 6);
  last().sink.ended(gone);
  expect(control.watched).toHaveLength(1);
  time.advance(50);
  expect(control.watched.map(({ after }) => after)).toEqual([0, 6]);
  last().sink.changes([node(7)], 7);
  expect([...follower.view.nodes()].map(({ name }) => name)).toEqual(["n6", "n7"]);
  follower.stop();
  expect(time.pending).toBe(0);
});

test("where nothing is heard it is tried less and less often, until something is", () => {
  const { time, control, last } = start();
  for (let i = 0; i < 20; i++) {
    last().sink.ended(gone);
    time.advance(1_000);
  }
  expect(control.watched).toHaveLength(21);
  last().sink.ended(gone);
  time.advance(400);
  expect(control.watched).toHaveLength(21);
  time.advance(600);
  last().sink.whole(whole);
  last().sink.ended(gone);
  time.advance(50);
  expect(control.watched).toHaveLength(23);
});

test("versions are waited for; listeners know them before", async () => {
  const { follower, last } = start();
  const order: string[] = [];
  follower.view.listen((_changes, version) => order.push(`heard ${version}`));
  const waits = [6, 8].map((version) =>
    follower.reached(version).then(
      () => order.push(`reached ${version}`),
      ({ code }: ControlError) => order.push(code),
    ),
  );
  last().sink.whole(whole);
  await settled();
  last().sink.changes([node(6), node(7)], 7);
  await follower.reached(7);
  await settled();
  expect(order).toEqual(["heard 5", "heard 7", "reached 6"]);
  follower.stop();
  await Promise.all(waits);
  expect(order.at(-1)).toBe("closed");
  await expect(follower.reached(9)).rejects.toMatchObject({ code: "closed" });
});

test("it can be taken elsewhere", () => {
  const { time, control, follower, last } = start();
  last().sink.whole(whole);
  follower.elsewhere();
  follower.elsewhere();
  expect(control.closed).toBe(1);
  time.advance(50);
  expect(control.watched.map(({ after }) => after)).toEqual([0, 5]);
  follower.stop();
  follower.elsewhere();
  time.advance(5_000);
  expect(control.watched).toHaveLength(2);
});
