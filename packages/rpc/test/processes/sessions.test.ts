/** A session node that is killed, or stands still, as its gateways see it. */
import { join } from "node:path";
import { EXPIRY_NEVER, type SessionError, type Sessions } from "@canopy/session";
import { Child, tempDir, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { NodeSessions, type RpcChannel, type RpcChannelOptions } from "../../src/index.ts";
import { progressOf } from "../fake-ports.ts";
import { channelTo } from "../setup.ts";

const GATEWAY = 7;

interface World {
  /** A process at the same address each time. */
  readonly start: () => Promise<Child>;
  readonly channel: RpcChannel;
  readonly sessions: Sessions;
  readonly stops: number[];
  readonly ended: SessionError[];
  readonly attach: () => Promise<void>;
}

async function world(options: Partial<RpcChannelOptions> = {}): Promise<World> {
  const address = `unix:${join(await tempDir(testScope()), "s.sock")}`;
  const channel = await channelTo(address, options);
  const sessions = new NodeSessions(channel).group(1);
  const stops: number[] = [];
  const ended: SessionError[] = [];
  return {
    channel,
    sessions,
    stops,
    ended,
    start: async () => {
      const file = join(import.meta.dirname, "sessions-node.ts");
      const args = ["--conditions=source", file, address];
      const child = new Child({ command: process.execPath, args });
      await waitFor(() => child.stdout.includes("listening") && channel.state === "ready");
      return child;
    },
    attach: () =>
      sessions.attach(GATEWAY, {
        stop: (incarnation) => stops.push(incarnation),
        ended: (error) => void ended.push(error),
      }),
  };
}

test("one that is killed and started again: nothing waits for it, and all goes on", async () => {
  const { start, channel, sessions, stops, ended, attach } = await world();
  const first = await start();
  await attach();
  await waitFor(() => stops.length === 1);
  await sessions.progress([progressOf(1)]);
  const opening = Promise.allSettled([
    sessions.open({
      clientId: "c",
      gateway: GATEWAY,
      requestId: 1,
      cleanStart: false,
      expiry: EXPIRY_NEVER,
      will: undefined,
      user: undefined,
    }),
  ]);
  await waitFor(() => first.stdout.includes("open c"));
  await first.kill("SIGKILL");
  expect(await opening).toMatchObject([{ reason: { code: "indeterminate" } }]);
  await waitFor(() => ended.length === 1 && channel.state !== "ready");
  expect(ended[0]).toMatchObject({ name: "SessionError", code: "unavailable" });
  await expect(sessions.counts()).rejects.toMatchObject({ code: "unavailable" });
  const second = await start();
  await attach();
  await waitFor(() => stops.length === 2);
  await sessions.progress([progressOf(2)]);
  await waitFor(() => second.stdout.length === 3);
  expect(second.stdout).toEqual(["listening", `attach ${GATEWAY}`, "progress 2"]);
});

test("one that stands still is given up; what it was asked before comes before what it is asked when it goes on", async () => {
  const { start, channel, sessions, ended, attach } = await world({
    keepalive: { time: 400, timeout: 400 },
  });
  const node = await start();
  await attach();
  await sessions.progress([progressOf(1)]);
  node.signal("SIGSTOP");
  const lost = Promise.allSettled([sessions.progress([progressOf(2)])]);
  // By the keep-alive, before the deadline.
  expect(await lost).toMatchObject([{ reason: { code: "indeterminate" } }]);
  await waitFor(() => ended.length === 1);
  node.signal("SIGCONT");
  await waitFor(() => channel.state === "ready");
  await sessions.progress([progressOf(2)]);
  await sessions.progress([progressOf(3)]);
  await waitFor(() => node.stdout.includes("progress 3"));
  const done = node.stdout.filter((line) => line.startsWith("progress"));
  const wanted = ["progress 1", "progress 2", "progress 3"];
  // What was on its way when it stood still may have come, but not after what was asked later.
  expect([wanted, wanted.toSpliced(1, 0, "progress 2")]).toContainEqual(done);
});
