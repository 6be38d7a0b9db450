/** What is wrong with what a process was asked for is said in one line, with exit code 2. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir, testScope } from "@canopy/testkit";
import { expect, test } from "vitest";
import { ServiceProcess, type Settings } from "../../../session/test/processes/service-process.ts";

type Role = "session" | "store";

const certs = join(import.meta.dirname, "../../../../packages/rpc/test/certs");
const ca = join(certs, "ca.pem");
const cert = join(certs, "node.pem");
const key = join(certs, "node.key");
const strangersKey = join(certs, "stranger.key");

async function refused(role: Role, folder: string, settings: Settings): Promise<string> {
  const data = join(folder, "data");
  const socket = `unix:${join(folder, "p.sock")}`;
  const common = { "rpc.listen": socket, "cluster.nodes": `p=${socket}` };
  const all = { ...common, ...settings };
  const process = new ServiceProcess({ role, name: "p", data, settings: all });
  process.start();
  const { code } = await process.exited;
  expect(code).toBe(2);
  expect(process.stderr).toHaveLength(1);
  return process.stderr[0] as string;
}

test.each<[Role, string, Settings, RegExp]>([
  [
    "session",
    "a lease out of bounds",
    { "cluster.lease": "1ms" },
    /^canopy: cluster\.lease: got "1ms" .*allowed: 500ms to 1m/,
  ],
  [
    "session",
    "a name twice",
    { "cluster.nodes": "p=h:1,p=h:2" },
    /^canopy: cluster\.nodes: two nodes are called p/,
  ],
  ["store", "no name", { "node.name": "-" }, /^canopy: node\.name: got "-"/],
  ["store", "no node", { "cluster.nodes": "" }, /^canopy: cluster\.nodes: /],
  [
    "store",
    "a setting of others",
    { "cluster.lease": "3s" },
    /cluster\.lease .*has no effect on a store process: it is for a session node/,
  ],
  [
    "session",
    "a setting of others",
    { "sys.interval": "3s" },
    /sys\.interval .*has no effect on a session node: it is for .*a gateway/,
  ],
  [
    "session",
    "an address that is not here",
    { "rpc.listen": "192.0.2.1:7400", "log.level": "error" },
    /can't listen at 192\.0\.2\.1:7400: it is not an address of this machine/,
  ],
  [
    "store",
    "a certificate without its key",
    { "rpc.tls.cert": cert },
    /^canopy: rpc\.tls\.key: it is not set, and rpc\.tls\.cert is/,
  ],
  [
    "store",
    "another's key",
    { "rpc.tls.cert": cert, "rpc.tls.key": strangersKey },
    /^canopy: rpc\.tls\.key: .*stranger\.key is of no use: .*mismatch/,
  ],
  [
    "session",
    "what is no certificate",
    { "rpc.tls.ca": import.meta.filename, "rpc.tls.cert": cert, "rpc.tls.key": key },
    /^canopy: rpc\.tls\.ca: .* is of no use/,
  ],
  [
    "session",
    "a file that is not there",
    { "rpc.tls.ca": ca, "rpc.tls.cert": "/no/such.pem", "rpc.tls.key": key },
    /^canopy: rpc\.tls\.cert: it can't be read: ENOENT/,
  ],
])("a %s with %s", async (role, _, settings, line) => {
  expect(await refused(role, await tempDir(), settings)).toMatch(line);
});

test("the data folder of another kind of process, or of a cluster with other groups", async () => {
  const folder = await tempDir();
  await refused("session", folder, { "rpc.listen": "192.0.2.1:7400", "log.level": "error" });
  expect(await refused("store", folder, {})).toMatch(
    /data is the data folder of a session node, not of a store process/,
  );
  expect(await refused("session", folder, { "session.groups": 7 })).toMatch(
    /data was made with session\.groups=4, which can't be changed to 7/,
  );
});

test("a disk that another store process has", async () => {
  const folder = await tempDir();
  const socket = `unix:${join(folder, "first.sock")}`;
  const settings = { "rpc.listen": socket, "cluster.nodes": `n1=${socket}` };
  const data = join(folder, "data");
  const first = new ServiceProcess({ role: "store", name: "first", data, settings }, testScope());
  first.start();
  await first.says("waiting for the session nodes");
  expect(await refused("store", folder, {})).toMatch(/data\/store is in use by another process/);
});

test("a setting in a file that is none", async () => {
  const folder = await tempDir();
  const file = join(folder, "canopy.yaml");
  await writeFile(file, "cluster:\n  leese: 3s\n");
  const main = new ServiceProcess({ role: "session", name: "p", data: folder, settings: {} });
  main.start({}, ["--config", file]);
  expect(await main.exited).toMatchObject({ code: 2 });
  expect(main.stderr).toEqual([
    expect.stringMatching(/^canopy: unknown setting cluster\.leese .*cluster\.lease/),
  ]);
});
