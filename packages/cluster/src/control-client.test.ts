import { seededRandom } from "@canopy/base";
import type { Control, ControlError, WholeView } from "@canopy/control";
import { FakeTime } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { FakeControl, failure, never, settled } from "../test/fake-control.ts";
import { ControlClient, type ControlClientOptions } from "./control-client.ts";

const drain = { name: "n", wish: "drain" } as const;

function start(names: readonly string[], options: Partial<ControlClientOptions> = {}) {
  const time = new FakeTime();
  const nodes = new Map([...names, "unlisted"].map((name) => [name, new FakeControl()]));
  const node = (name: string) => nodes.get(name) as FakeControl;
  const client = new ControlClient({
    nodes: () => names,
    connect: (name) => node(name) as Control,
    clock: time,
    timers: time,
    random: seededRandom(1),
    ...options,
  });
  return { time, node, client };
}

/** What became of it, when so much time has passed. */
async function after(time: FakeTime, ms: number, call: Promise<unknown>): Promise<unknown> {
  let result: unknown = "pending";
  call.then(
    (value) => {
      result = value;
    },
    (error: ControlError) => {
      result = error.code;
    },
  );
  await settled();
  for (let passed = 0; passed < ms; passed += 50) {
    time.advance(50);
    await settled();
  }
  return result;
}

describe("a call", () => {
  test("goes to who leads, as soon as somebody has said who that is", async () => {
    const { time, node, client } = start(["a", "b", "c"]);
    node("a").otherwise = failure("not-leader", "b");
    node("b").otherwise = () => Promise.resolve(5);
    expect(await after(time, 0, client.unban("user", "u"))).toBe(5);
    expect(await after(time, 0, client.wish(drain))).toBe(5);
    expect(node("a").asked).toEqual(["unban"]);
    expect(node("b").asked).toEqual(["unban", "wish"]);
  });

  test("waits for a node to be known; a watch ends meanwhile, and does not throw", async () => {
    const names: string[] = [];
    const { time, node, client } = start(["a"], { nodes: () => names });
    const ends: string[] = [];
    const ended = (error: ControlError): void => void ends.push(error.code);
    client.watch(0, { whole: () => {}, changes: () => {}, ended });
    client.attend(1, { ended });
    await settled();
    expect(ends).toEqual(["unavailable", "unavailable"]);
    node("a").otherwise = () => Promise.resolve(7);
    const call = client.reopen(1, 1);
    await after(time, 100, never());
    names.push("a");
    expect(await after(time, 1_000, call)).toBe(7);
  });

  test("also to one that is not listed", async () => {
    const { time, node, client } = start(["a"]);
    node("a").otherwise = failure("not-leader", "unlisted");
    node("unlisted").otherwise = () => Promise.resolve(6);
    expect(await after(time, 0, client.reopen(1, 1))).toBe(6);
  });

  test.each([
    ["unavailable", failure("unavailable")],
    ["indeterminate", failure("indeterminate")],
    ["closed", failure("closed")],
    ["not-leader", failure("not-leader")],
    ["broken", () => Promise.reject(new Error("connection refused"))],
  ])("is repeated at another node where one is %s", async (_what, answer) => {
    const { time, node, client } = start(["a", "b"]);
    node("a").otherwise = answer;
    node("b").otherwise = () => Promise.resolve(8);
    expect(await after(time, 0, client.unban("user", "u"))).toBe("pending");
    const { asked } = node("b");
    expect(asked).toEqual([]);
    expect(await after(time, 50, client.wish(drain))).toBe(8);
    expect(asked.toSorted()).toEqual(["unban", "wish"]);
  });

  test("leaves a node that does not answer", async () => {
    const { time, node, client } = start(["a", "b"]);
    node("a").otherwise = never;
    expect(await after(time, 1_100, client.wish(drain))).toMatchObject({ incarnation: 7 });
    expect(node("b").asked).toEqual(["wish"]);
  });

  test.each(["ended", "behind", "refused"] as const)("that is %s is not repeated", async (code) => {
    const { time, node, client } = start(["a", "b"]);
    node("a").otherwise = failure(code);
    expect(await after(time, 0, client.wish(drain))).toBe(code);
    expect(node("b").asked).toEqual([]);
  });

  test("ends at its deadline, with what was said last, having asked a bounded number of times", async () => {
    const { time, node, client } = start(["a", "b"], { deadline: 5_000, renewDeadline: 500 });
    // Each says that the other one leads.
    node("a").otherwise = failure("not-leader", "b");
    node("b").otherwise = failure("not-leader", "a");
    expect(await after(time, 4_000, client.wish(drain))).toBe("pending");
    const call = client.wish(drain);
    expect(await after(time, 5_000, call)).toBe("not-leader");
    expect(node("a").asked.length + node("b").asked.length).toBeLessThan(120);
    const renewal = client.renew({ incarnation: 1, acknowledged: 1 });
    expect(await after(time, 500, renewal)).toBe("not-leader");
  });

  test("that waits for others is not given up for its silence", async () => {
    const { time, node, client } = start(["a", "b"]);
    const inForce = Promise.withResolvers<void>();
    node("a").otherwise = () => inForce.promise;
    const call = client.inForce(3);
    expect(await after(time, 5_000, call)).toBe("pending");
    inForce.resolve();
    expect(await after(time, 0, call)).toBeUndefined();
    expect(node("b").asked).toEqual([]);
  });

  test("is refused when the client is closed, also one that is being repeated", async () => {
    const { time, node, client } = start(["a"]);
    node("a").otherwise = failure("unavailable");
    const call = client.wish(drain);
    expect(await after(time, 50, call)).toBe("pending");
    client.close();
    expect(await after(time, 1_000, call)).toBe("closed");
    expect(await after(time, 0, client.wish(drain))).toBe("closed");
  });

  test("waits by chance: two clients do not come back at the same time", async () => {
    const times: number[][] = [];
    for (const seed of [1, 2]) {
      const { time, node, client } = start(["a"], { random: seededRandom(seed) });
      const at: number[] = [];
      node("a").otherwise = () => {
        at.push(time.now());
        return failure("unavailable")();
      };
      void client.wish(drain).catch(() => {});
      for (let i = 0; i < 4; i++) {
        await settled();
        time.advance((time.nextDue ?? 0) - time.now());
      }
      await settled();
      times.push(at);
    }
    const gaps = (at: readonly number[]) => at.slice(1).map((t, i) => t - (at[i] as number));
    expect(gaps(times[0] ?? [])).toHaveLength(4);
    expect(gaps(times[0] ?? [])).not.toEqual(gaps(times[1] ?? []));
    for (const at of times) {
      for (const [i, gap] of gaps(at).entries()) {
        expect(gap).toBeLessThanOrEqual(50 * 2 ** i);
        expect(gap).toBeGreaterThanOrEqual(25 * 2 ** i);
      }
    }
  });
});

describe("streams", () => {
  test("a watch goes to the next node each time, and says what that says", () => {
    const { node, client } = start(["a", "b"]);
    const heard: string[] = [];
    const sink = {
      whole: ({ version }: WholeView) => heard.push(`whole ${version}`),
      changes: (_changes: unknown, version: number) => heard.push(`changes ${version}`),
      ended: ({ code }: ControlError) => heard.push(code),
    };
    client.watch(0, sink);
    const watched = node("a").watched[0];
    watched?.sink.whole({ version: 3 } as WholeView);
    watched?.sink.changes([], 4);
    void failure("closed")().catch((error: ControlError) => watched?.sink.ended(error));
    const second = client.watch(4, sink);
    expect(node("b").watched.map(({ after: from }) => from)).toEqual([4]);
    second.close();
    expect(node("b").closed).toBe(1);
    expect(heard).toEqual(["whole 3", "changes 4"]);
  });

  test("attendance goes to who leads, and learns from its end who that is", async () => {
    const { node, client } = start(["a", "b"]);
    const ended: string[] = [];
    const sink = { ended: ({ code }: ControlError) => ended.push(code) };
    client.attend(1, sink);
    await failure("not-leader", "b")().catch((error: ControlError) => {
      node("a").attended[0]?.ended(error);
      node("a").attended[0]?.ended(error);
    });
    expect(ended).toEqual(["not-leader"]);
    client.attend(1, sink).close();
    expect(node("b").attended).toHaveLength(1);
    expect(node("b").closed).toBe(1);
  });

  test("where no connection can be made they end", async () => {
    const { client } = start(["a"], {
      connect: () => {
        throw new Error("no such host");
      },
    });
    const ended: string[] = [];
    client.attend(1, { ended: ({ code }) => ended.push(code) });
    client.attend(1, { ended: ({ code }) => ended.push(code) }).close();
    await settled();
    expect(ended).toEqual(["unavailable"]);
  });
});
