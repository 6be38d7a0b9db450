/** Session nodes as processes that join, leave, and lose their disks, by the command line. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { GroupInfo, NodeInfo } from "@canopy/control";
import { adminCommand } from "@canopy/main/admin";
import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { GROUPS, Nodes } from "./nodes.ts";
import { ServiceProcess } from "./service-process.ts";

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function admin(nodes: Nodes, at: string, ...argv: readonly string[]): Promise<Said> {
  const said = { stdout: "", stderr: "" };
  const into = (name: "stdout" | "stderr"): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        said[name] += String(chunk);
        done();
      },
    });
  const io = { stdout: into("stdout"), stderr: into("stderr") };
  const env = { CANOPY_ADMIN_ADDRESS: nodes.address(at) };
  const code = await adminCommand(["cluster", ...argv], { ...io, env });
  return { code, out: said.stdout, err: said.stderr };
}

async function asked<T>(nodes: Nodes, at: string, command: string): Promise<readonly T[]> {
  const { out } = await admin(nodes, at, command, "--json");
  return JSON.parse(out) as T[];
}

async function voters(nodes: Nodes, at: string): Promise<readonly string[]> {
  const groups = await asked<GroupInfo>(nodes, at, "groups");
  expect(groups).toHaveLength(GROUPS + 1);
  return groups.map(({ replicas }) =>
    replicas
      .filter((one) => one.voter)
      .map(({ node }) => node)
      .toSorted()
      .join(" "),
  );
}

const everywhere = (names: string): readonly string[] => Array(GROUPS + 1).fill(names);

test("one joins, one leaves, one comes back with another disk", async () => {
  const nodes = await Nodes.started();
  const address = `unix:${join(nodes.folder, "n4.sock")}`;
  const own = { "rpc.listen": address, "session.groups": GROUPS };
  const added = new ServiceProcess({
    role: "session",
    name: "n4",
    data: join(nodes.folder, "n4"),
    settings: { ...own, ...nodes.common },
  });
  added.start();
  await added.ready();
  expect(await admin(nodes, "n2", "add", "n4", "--wait")).toMatchObject({ code: 0, err: "" });
  expect(await voters(nodes, "n1")).toEqual(everywhere("n1 n2 n3 n4"));

  expect(await admin(nodes, "n1", "remove", "n1", "--wait")).toMatchObject({ code: 0, err: "" });
  const end = await nodes.of("n1").says("can't go on");
  expect(end).toMatchObject({ error: "n1 has left the cluster" });
  expect(await nodes.of("n1").exited).toMatchObject({ code: 1 });
  expect(await voters(nodes, "n3")).toEqual(everywhere("n2 n3 n4"));
  nodes.of("n1").start();
  await nodes.of("n1").says("waiting to be let in: n1 was removed from the cluster");
  await nodes.of("n1").kill("SIGTERM");

  await nodes.of("n2").kill();
  await rm(join(nodes.folder, "n2"), { recursive: true });
  nodes.of("n2").start();
  await nodes.of("n2").says("waiting to be let in: the cluster knows n2 by another disk");
  const refused = await admin(nodes, "n3", "replace", "n3");
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("n3 answers, or did") });
  // It has answered with its old disk until a moment ago.
  await waitFor(async () => (await admin(nodes, "n3", "replace", "n2", "--wait")).code === 0);
  await nodes.of("n2").ready();
  expect(await voters(nodes, "n2")).toEqual(everywhere("n2 n3 n4"));
  await nodes.of("n3").kill();
  // The two that are left are a majority: those that are gone count no more.
  await waitFor(async () => {
    const groups = await asked<GroupInfo>(nodes, "n2", "groups");
    return groups.every(({ leader }) => leader === "n2" || leader === "n4");
  });
});

test("tables, a drained node, a leader where it is wanted, and errors that say what to do", async () => {
  const nodes = await Nodes.started();
  const table = await admin(nodes, "n1", "nodes");
  expect(table.out).toMatch(/^NAME +ROLE +STATE.*\nn1 +session +member /);
  expect((await admin(nodes, "n1", "shards")).out).toMatch(/^SHARD +OWNER/);
  expect(await admin(nodes, "n2", "drain", "n2", "--wait")).toMatchObject({ code: 0 });
  const [, drained] = await asked<NodeInfo>(nodes, "n3", "nodes");
  expect(drained).toMatchObject({ name: "n2", drained: true, leads: [] });
  expect((await admin(nodes, "n1", "resume", "n2")).out).toContain("it may lead again");
  expect(await admin(nodes, "n1", "transfer", "1", "n2")).toMatchObject({ code: 0 });
  const [, first] = await asked<GroupInfo>(nodes, "n3", "groups");
  expect(first?.leader).toBe("n2");
  const wrong = await admin(nodes, "n1", "transfer", "9", "n2");
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("there is no group 9") });
  expect(await admin(nodes, "n1", "transfer", "1", "x")).toMatchObject({ code: 1 });
  for (const argv of [[], ["bogus"], ["drain"], ["nodes", "--bogus"], ["transfer", "x", "n1"]]) {
    const { code, err } = await admin(nodes, "n1", ...argv);
    expect([code, err.split("\n").length]).toEqual([2, 2]);
  }
  const help = await admin(nodes, "n1", "--help");
  expect(help).toMatchObject({ code: 0, out: expect.stringContaining("Examples:") });
  await nodes.of("n3").kill();
  const nobody = await admin(nodes, "n3", "nodes");
  expect(nobody).toMatchObject({
    code: 3,
    err: expect.stringContaining("no session node answers"),
  });
});
