// What may wait, and how much one command may hold.
import type { StateMachine } from "@canopy/raft";
import { decodeCommand } from "@canopy/session";
import { expect, test } from "vitest";
import { Harness, openRequest, progressOf, subscribeTo } from "../test/harness.ts";

test("more clients at once than may wait are refused; with room again they are not", async () => {
  const h = await Harness.start({ maxWaiting: 2 });
  const gateway = await h.attach();
  const open = (clientId: string) => h.sessions.open(openRequest(gateway, { clientId }));
  const ends = await Promise.allSettled(["a", "b", "c"].map(open));
  expect(ends).toMatchObject([
    { status: "fulfilled" },
    { status: "fulfilled" },
    { status: "rejected", reason: { code: "overloaded" } },
  ]);
  expect(await open("c")).toMatchObject({ sessionPresent: false });
});

test("so are more subscribes than may wait for their routes", async () => {
  const h = await Harness.start({ maxWaiting: 2 });
  const gateway = await h.attach();
  const opened = await h.sessions.open(openRequest(gateway));
  const gate = Promise.withResolvers<void>();
  h.stores.gate = (call) => (call === "routes" ? gate.promise : Promise.resolve());
  const subscribe = (filter: string) => h.sessions.subscribe(subscribeTo(opened, filter));
  const waiting = [subscribe("a"), subscribe("b")];
  await expect(subscribe("c")).rejects.toMatchObject({ code: "overloaded" });
  gate.resolve();
  await Promise.all(waiting);
  await subscribe("c");
});

test("progress of many sessions is divided: no command holds up the others for long", async () => {
  const sizes: number[] = [];
  const counting = (machine: StateMachine): StateMachine => ({
    apply: (bytes, index) => {
      const command = decodeCommand(bytes);
      if (command.type === "progress") sizes.push(command.batch.length);
      return machine.apply(bytes, index);
    },
    applied: () => machine.applied(),
    snapshot: () => machine.snapshot(),
    restore: () => machine.restore(),
  });
  const h = await Harness.start();
  await h.restart({
    host: {
      open: (group) => h.raft.host.open({ ...group, machine: counting(group.machine) }),
      close: (group) => h.raft.host.close(group),
    },
  });
  const opened = await h.sessions.open(openRequest(await h.attach()));
  await h.sessions.progress(Array.from({ length: 2_500 }, () => progressOf(opened)));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_500);
  expect(Math.max(...sizes)).toBe(1_000);
});
