/** Three session nodes as processes: they start, are killed, and come back. */
import type { ClusterSessions } from "@canopy/cluster";
import { ControlService, QueriesService, SessionsService } from "@canopy/rpc";
import { EXPIRY_NEVER, groupOf } from "@canopy/session";
import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { healthOf, plain } from "../../../../packages/rpc/test/health.ts";
import { GROUPS, Nodes } from "./nodes.ts";

/** ms; about 1 s on an idle machine. */
const TAKEOVER = 5_000;

/** A client id of each group. */
const clients = Array.from({ length: GROUPS }, (_, i) => {
  for (let n = 0; ; n++) if (groupOf(`c${n}`, GROUPS) === i + 1) return `c${n}`;
});

let tokens = 0;

/** As a new gateway, which lives as long as its lease. */
async function joined(nodes: Nodes): Promise<{ gateway: number; sessions: ClusterSessions }> {
  const token = String(++tokens);
  const name = `g${token}`;
  const request = { kind: "gateway", name, address: "", disk: "", token } as const;
  const { incarnation } = await nodes.control.join(request);
  const sessions = nodes.sessions();
  await sessions.attach(incarnation, { stop: () => {} });
  return { gateway: incarnation, sessions };
}

/** Of each client, whether it had a session already. */
async function open(nodes: Nodes): Promise<readonly boolean[]> {
  const { gateway, sessions } = await joined(nodes);
  const opened = clients.map(async (clientId) => {
    const wanted = { clientId, gateway, cleanStart: false, expiry: EXPIRY_NEVER } as const;
    const { sessionPresent } = await sessions.open({
      ...wanted,
      requestId: 1,
      will: undefined,
      user: undefined,
    });
    return sessionPresent;
  });
  const found = await Promise.all(opened);
  // So that nobody has to wait for its lease.
  await nodes.control.leave(gateway);
  sessions.close();
  return found;
}

test("they start in any order: who is early waits, and says for whom", async () => {
  const nodes = await Nodes.make();
  nodes.of("n3").start();
  nodes.of("n1").start();
  for (const name of ["n1", "n3"]) {
    const { msg } = await nodes.of(name).says("waiting for those that create the cluster");
    expect(msg).toContain(`n2 (${nodes.address("n2")})`);
  }
  const one = plain(nodes.address("n1"));
  const services = [ControlService, SessionsService, QueriesService];
  for (const { typeName } of services) expect(await healthOf(one, typeName)).toBe("NOT_SERVING");
  expect(await healthOf(one, "")).toBe("SERVING");
  nodes.of("n2").start();
  await nodes.ready();
  for (const { typeName } of services) expect(await healthOf(one, typeName)).toBe("SERVING");
  expect(await nodes.of("n1").ready()).toMatchObject({ name: "n1", address: nodes.address("n1") });
  const view = await nodes.view();
  const wanted = nodes.names.map((name) => ({ name, address: nodes.address(name) }));
  await waitFor(() => view.nodes().length === 3);
  for (const node of wanted) expect(view.node(node.name)).toMatchObject(node);
  expect(view.groups).toBe(GROUPS);
});

test("kill -9 of the leader of each group: others take over, and it comes back", async () => {
  const nodes = await Nodes.started();
  expect(await open(nodes)).toEqual(clients.map(() => false));
  for (let group = 0; group <= GROUPS; group++) {
    const leader = await nodes.leader(group);
    await nodes.of(leader).kill();
    const took = await nodes.takenOver(leader);
    expect(took).toBeLessThan(TAKEOVER);
    expect(await open(nodes)).toEqual(clients.map(() => true));
    nodes.of(leader).start();
    await nodes.of(leader).ready();
  }
});

test("all are stopped and started again: they go on where they were", async () => {
  const nodes = await Nodes.started();
  await open(nodes);
  for (const name of nodes.names) {
    expect(await nodes.of(name).kill("SIGTERM")).toMatchObject({ code: 0 });
  }
  for (const name of nodes.names.toReversed()) nodes.of(name).start();
  await nodes.ready();
  expect(await open(nodes)).toEqual(clients.map(() => true));
  await Promise.all(nodes.names.map((name) => nodes.of(name).kill("SIGKILL")));
  for (const name of nodes.names) nodes.of(name).start();
  await nodes.ready();
  expect(await open(nodes)).toEqual(clients.map(() => true));
});

test("one that is stopped hands over what it leads, and nobody has to find out", async () => {
  const nodes = await Nodes.started();
  for (let group = 0; group <= GROUPS; group++) {
    const leader = await nodes.leader(group);
    expect(await nodes.of(leader).kill("SIGTERM")).toMatchObject({ code: 0 });
    const { log } = nodes.of(leader);
    const handed = log.filter(({ msg }) => msg === "leadership is handed over");
    expect(handed.map((line) => line["group"])).toContain(group);
    expect(await nodes.leader(group)).not.toBe(leader);
    nodes.of(leader).start();
    await nodes.of(leader).ready();
  }
});

test("two of them are enough to start again, and the one that is missing is named", async () => {
  const nodes = await Nodes.started();
  await Promise.all(nodes.names.map((name) => nodes.of(name).kill("SIGKILL")));
  nodes.of("n2").start();
  const { msg } = await nodes.of("n2").says("waiting for a leader of every group");
  expect(msg).toContain(`n1 (${nodes.address("n1")}), n3 (${nodes.address("n3")})`);
  nodes.of("n3").start();
  await nodes.of("n3").ready();
  await nodes.of("n2").ready();
});

test("SIGTERM while it waits for others ends it in order", async () => {
  const nodes = await Nodes.make();
  nodes.of("n1").start();
  await nodes.of("n1").says("waiting for those that create the cluster");
  expect(await nodes.of("n1").kill("SIGTERM")).toMatchObject({ code: 0 });
});
