/** The port Control over real sockets. */
import {
  ClusterView,
  ControlError,
  type ControlErrorCode,
  type VersionedChange,
  type WholeView,
} from "@canopy/control";
import { freePort, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { WatchOpeningSchema } from "../src/gen/canopy/control/v1/control_pb.ts";
import { ControlService, controlOver, encodeMessage } from "../src/index.ts";
import { FakeControl, servePorts } from "./fake-ports.ts";
import { channelTo, ignoring } from "./setup.ts";

async function pair() {
  const fake = new FakeControl();
  const server = await servePorts({ control: fake.control });
  const channel = await channelTo(server.address);
  return { fake, server, channel, control: controlOver(channel) };
}

/** A view that is kept by a watch. */
class Seen {
  readonly view = new ClusterView();
  readonly wholes: number[] = [];
  readonly ends: ControlError[] = [];

  whole(view: WholeView): void {
    this.wholes.push(view.version);
    this.view.load(view);
  }

  changes(changes: readonly VersionedChange[], version: number): void {
    this.view.apply(changes, version);
  }

  ended(error: ControlError): void {
    this.ends.push(error);
  }
}

const large = 2 ** 45;
const join = { kind: "store", name: "s", address: "s:1", disk: "d", token: "t" } as const;
const ban = { kind: "address", value: "10.0.0.1", reason: "noise", until: large } as const;
const node = { name: "n", address: "unix:/n", disk: large, replica: 4 };
const wish = { name: "n", wish: "replace" } as const;

function calls(control: ReturnType<typeof controlOver>): (() => Promise<unknown>)[] {
  return [
    () => control.join(join),
    () => control.renew({ incarnation: large, acknowledged: large + 1 }),
    () => control.leave(large),
    () => control.reopen(large, 7),
    () => control.ban(ban),
    () => control.unban("user", "u"),
    () => control.announce(node),
    () => control.accuse(large),
    () => control.wish(wish),
    () => control.inForce(large),
  ];
}

describe("calls", () => {
  test("arrive as they were made, and their answers as they were given", async () => {
    const { fake, control } = await pair();
    const answers: Record<string, unknown> = {
      join: { incarnation: large, lease: 3_000 },
      reopen: 12,
      ban: large,
      unban: 1,
      announce: { version: 2, replica: large },
      wish: 3,
    };
    fake.answer = ({ method }) => answers[method];
    const given = await Promise.all(calls(control).map((call) => call()));
    const { join: joined, announce } = answers;
    const others = [undefined, undefined, 12, large, 1];
    expect(given).toEqual([joined, ...others, announce, undefined, 3, undefined]);
    expect(fake.asked).toEqual([
      { method: "join", args: [join] },
      { method: "renew", args: [{ incarnation: large, acknowledged: large + 1 }] },
      { method: "leave", args: [large] },
      { method: "reopen", args: [large, 7] },
      { method: "ban", args: [ban] },
      { method: "unban", args: ["user", "u"] },
      { method: "announce", args: [node] },
      { method: "accuse", args: [large] },
      { method: "wish", args: [wish] },
      { method: "inForce", args: [large] },
    ]);
  });

  test("end with the error that was thrown: its class, code, message and leader", async () => {
    const { fake, control } = await pair();
    const all: Record<ControlErrorCode, true> = {
      "not-leader": true,
      ended: true,
      unavailable: true,
      behind: true,
      indeterminate: true,
      refused: true,
      closed: true,
    };
    for (const code of Object.keys(all) as ControlErrorCode[]) {
      const leader = code === "not-leader" ? "nodé" : undefined;
      const error = new ControlError(code, `because of ${code}`, { leader });
      fake.answer = () => Promise.reject(error);
      for (const call of calls(control)) {
        const caught = await call().catch((reason: unknown) => reason);
        expect(caught).toBeInstanceOf(ControlError);
        expect(caught).toMatchObject({ code, leader, message: `because of ${code}` });
      }
    }
  });

  test("say whether they may have been done where there is no answer", async () => {
    const { fake, channel } = await pair();
    await waitFor(() => channel.state === "ready");
    fake.answer = () => new Promise(() => {});
    const options = { deadline: 100, renewDeadline: 100, inForceDeadline: 100 };
    for (const call of calls(controlOver(channel, options))) {
      await expect(call()).rejects.toMatchObject({ name: "ControlError", code: "indeterminate" });
    }
    const nobody = await channelTo(`127.0.0.1:${await freePort()}`);
    await waitFor(() => nobody.state === "waiting");
    for (const call of calls(controlOver(nobody))) {
      await expect(call()).rejects.toMatchObject({ name: "ControlError", code: "unavailable" });
    }
  });
});

describe("watching", () => {
  test("brings the whole, then what changes, from any version on", async () => {
    const { fake, control } = await pair();
    fake.add("a", "a:1");
    const seen = new Seen();
    control.watch(0, seen);
    await waitFor(() => seen.view.version === 1);
    fake.add("b", "b:1");
    fake.add("c", "c:1");
    await waitFor(() => seen.view.version === 3);
    expect(seen.view.whole()).toEqual(fake.whole());
    expect(seen.wholes).toEqual([1]);
    const resumed = new Seen();
    resumed.view.load(fake.whole());
    const watch = control.watch(3, resumed);
    fake.add("a", "a:2");
    await waitFor(() => resumed.view.node("a")?.address === "a:2");
    expect(resumed.wholes).toEqual([]);
    watch.close();
    await waitFor(() => fake.watchers.size === 1);
    expect(resumed.ends).toEqual([]);
  });

  test("ends with the reason, and where the server or the way to it is gone", async () => {
    const { fake, server, control } = await pair();
    const [one, two, three] = [new Seen(), new Seen(), new Seen()];
    control.watch(0, one);
    await waitFor(() => fake.watchers.size === 1);
    for (const sink of fake.watchers) sink.ended(new ControlError("closed", "no group here"));
    await waitFor(() => one.ends.length === 1);
    expect(one.ends[0]).toMatchObject({ name: "ControlError", code: "closed" });
    fake.watchers.clear();
    control.watch(0, two);
    await waitFor(() => fake.watchers.size === 1);
    await server.stop();
    await waitFor(() => two.ends.length === 1 && fake.watchers.size === 0);
    expect(two.ends[0]).toMatchObject({ name: "ControlError", code: "unavailable" });
    control.watch(0, three);
    await waitFor(() => three.ends.length === 1);
    expect(three.ends[0]).toMatchObject({ name: "ControlError", code: "unavailable" });
  });

  test("one that is closed before it is open is told nothing", async () => {
    const { fake, control } = await pair();
    fake.add("a", "a:1");
    const seen = new Seen();
    control.watch(0, seen).close();
    const later = new Seen();
    control.watch(0, later);
    await waitFor(() => later.view.version === 1 && fake.watchers.size === 1);
    expect([seen.wholes, seen.ends]).toEqual([[], []]);
  });

  test("who takes nothing is not watched for, and told all that it missed when it goes on", async () => {
    const { fake, channel } = await pair();
    fake.add("first", "a:1");
    const events: Buffer[] = [];
    const stream = await channel.open(ControlService.method.watch, {
      opening: encodeMessage(WatchOpeningSchema, { after: 1n }),
      handler: { ...ignoring, window: 1_000, onMessage: (event) => void events.push(event) },
    });
    await waitFor(() => fake.watchers.size === 1);
    const many = 10_000;
    for (let i = 0; i < many; i++) fake.add(`node ${i}`, "somewhere:1");
    expect(fake.watchers.size).toBe(0);
    await waitFor(() => events.length > 5);
    const before = events.length;
    expect(before).toBeLessThan(100);
    stream.acknowledge(before);
    await waitFor(() => events.length === before + 1);
    // It was watched anew from where it stood.
    expect(fake.watched).toEqual([1, 1 + before]);
    const last = events.at(-1) as Buffer;
    expect(last.includes(`node ${before}`)).toBe(true);
    expect(last.includes(`node ${many - 1}`)).toBe(true);
    expect(last.includes(`node ${before - 1}\u0012`)).toBe(false);
  });
});

describe("attending", () => {
  test("lasts as long as the connection, and ends with the reason", async () => {
    const { fake, server, channel, control } = await pair();
    const ends: ControlError[] = [];
    const sink = { ended: (error: ControlError) => void ends.push(error) };
    const first = control.attend(large, sink);
    await waitFor(() => fake.attending.has(large));
    first.close();
    await waitFor(() => !fake.attending.has(large));
    expect(ends).toEqual([]);
    control.attend(large, sink);
    await waitFor(() => fake.attending.has(large));
    fake.attending.get(large)?.ended(new ControlError("not-leader", "b leads", { leader: "b" }));
    await waitFor(() => ends.length === 1);
    expect(ends[0]).toMatchObject({ code: "not-leader", leader: "b" });
    const other = await channelTo(server.address);
    controlOver(other).attend(large + 1, sink);
    await waitFor(() => fake.attending.has(large + 1));
    await other.stop();
    await waitFor(() => !fake.attending.has(large + 1) && ends.length === 2);
    expect(ends[1]).toMatchObject({ name: "ControlError", code: "unavailable" });
    expect(channel.state).toBe("ready");
  });
});
