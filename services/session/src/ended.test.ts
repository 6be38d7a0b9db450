import { join } from "node:path";
import { type Logger, silentLogger } from "@canopy/base";
import type { RaftGroup, StateMachine } from "@canopy/raft";
import { tempDir, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, type HarnessOptions, openRequest } from "../test/harness.ts";
import { RaftNode } from "../test/raft-node.ts";

const UNREADABLE = Buffer.from([250, 1, 2, 3]);

/** Takes what the session service can't read, as a later version of it may. */
const other: StateMachine = {
  apply: () => 0,
  applied: () => {},
  snapshot: () => [].values(),
  restore: () => ({ push: () => {}, finish: () => {} }),
};

async function writeUnreadable({ directory, raftTime }: Harness): Promise<void> {
  const raft = new RaftNode({ directory, raftTime, durability: "sync" });
  await raft.start();
  const group = await raft.host.open({ group: 1, machine: other });
  await leads(group);
  expect(await group.propose(UNREADABLE)).toMatchObject({ type: "committed" });
  await raft.stop();
}

function leads(group: RaftGroup): Promise<unknown> {
  return waitFor(() => {
    const { role, applied, lastIndex } = group.status;
    return role === "leader" && applied === lastIndex;
  });
}

/** The service over a state machine that fails from when it is told. */
function failing(h: () => Harness, ended: string[]) {
  let fails = false;
  const options: HarnessOptions = {
    host: {
      open: (group) => {
        const apply: StateMachine["apply"] = (bytes, index) => {
          if (fails) throw new Error("no such command");
          return group.machine.apply(bytes, index);
        };
        const machine: StateMachine = {
          apply,
          applied: () => group.machine.applied(),
          snapshot: () => group.machine.snapshot(),
          restore: () => group.machine.restore(),
        };
        return h().raft.host.open({ ...group, machine });
      },
      close: (group) => h().raft.host.close(group),
    },
    onEnded: (reason) => ended.push(reason),
  };
  return { options, fail: () => (fails = true) };
}

test("a command in the log that can't be read: start() rejects and says so", async () => {
  const directory = join(await tempDir(), "raft");
  const h = await Harness.start({ directory, durability: "sync" });
  await h.attach();
  await h.stop();
  await writeUnreadable(h);
  const ended: string[] = [];
  await expect(h.restart({ onEnded: (reason) => ended.push(reason) })).rejects.toMatchObject({
    code: "closed",
    message: expect.stringMatching(
      /^the sessions can't be served: the group has failed here: .*250/,
    ),
  });
  // start() has said it.
  expect(ended).toEqual([]);
});

test("a group that fails while it runs: who waits and who comes is told, and the owner too", async () => {
  const h = await Harness.start();
  const ended: string[] = [];
  const { options, fail } = failing(() => h, ended);
  await h.restart(options);
  const gateway = await h.attach();
  await h.sessions.open(openRequest(gateway, { clientId: "first" }));
  fail();
  await expect(h.sessions.open(openRequest(gateway))).rejects.toMatchObject({
    code: expect.stringMatching(/^(indeterminate|unavailable|not-leader)$/),
  });
  expect(ended).toEqual(["the group has failed here: no such command"]);
  const refusal = { code: "closed", message: expect.stringContaining("no such command") };
  await expect(h.sessions.open(openRequest(gateway))).rejects.toMatchObject(refusal);
  await expect(h.attach()).rejects.toMatchObject(refusal);
  expect(h.service.leading).toBe(false);
  expect(h.service.counts).toMatchObject({ sessions: 1 });
  await h.service.stop();
  expect(ended).toHaveLength(1);
  await expect(h.attach()).rejects.toMatchObject({ code: "closed" });
});

test("stop() is no such end", async () => {
  const ended: string[] = [];
  const h = await Harness.start({ onEnded: (reason) => ended.push(reason) });
  await h.stop();
  expect(ended).toEqual([]);
});

test("a leader that can't begin does not half lead: it says why, and its group ends", async () => {
  const h = await Harness.start();
  const errors: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (fields, message) => {
      errors.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  let isOpen = false;
  const now = () => {
    if (isOpen) throw new Error("no time");
    return 0;
  };
  let isClosed = false;
  const host: HarnessOptions["host"] = {
    open: async (options) => {
      const group = await h.raft.host.open(options);
      isOpen = true;
      return group;
    },
    close: async (group) => {
      isClosed = await h.raft.host.close(group);
      return isClosed;
    },
  };
  const ended: string[] = [];
  const onEnded = (reason: string) => ended.push(reason);
  const refusal = {
    code: "closed",
    message: "the sessions can't be served: leading has failed here: no time",
  };
  const starting = h.restart({ host, clock: { now, wall: () => 0 }, logger, onEnded });
  await expect(starting).rejects.toMatchObject(refusal);
  expect(errors).toEqual([expect.stringMatching(/can't be done .*no time/)]);
  expect(h.service.leading).toBe(false);
  await expect(h.attach()).rejects.toMatchObject(refusal);
  // start() has said it.
  expect(ended).toEqual([]);
  await waitFor(() => isClosed);
});
