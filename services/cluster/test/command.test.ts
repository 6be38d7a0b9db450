/** `npm run cluster`, as a person starts it. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Child, RawClient, tempDir, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const small = ["--gateways", "1", "--session", "1", "--store", "1"];

interface Said {
  readonly folder: string;
  readonly processes: readonly {
    readonly name: string;
    readonly role: string;
    readonly pid: number;
    readonly data?: string;
    readonly mqtt?: { readonly host: string; readonly port: number };
  }[];
}

function launch(args: readonly string[]): Child {
  return new Child({ command: process.execPath, args: ["--conditions=source", main, ...args] });
}

/** Started, with what it has written for programs. */
async function started(args: readonly string[] = []) {
  const json = `${await tempDir()}/cluster.json`;
  const child = launch([...small, "--json", json, ...args]);
  await waitFor(() => child.exit !== undefined || existsSync(json), {
    what: () => [...child.stdout, ...child.stderr].join("\n"),
  });
  const read = (): Said => JSON.parse(readFileSync(json, "utf8"));
  return { child, read };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("it says where everything is, and Ctrl-C ends all of it, with exit code 0 and nothing left", async () => {
  const { child, read } = await started();
  const { folder, processes } = read();
  expect(processes.map(({ name }) => name)).toEqual(["session-1", "store-1", "gateway-1"]);
  expect(processes.every(({ pid }) => isRunning(pid))).toBe(true);
  const { mqtt } = processes[2] as Said["processes"][number];
  const client = await RawClient.connected(mqtt as NonNullable<typeof mqtt>);
  await client.publish("a", "x", { qos: 1 });
  await waitFor(() => child.stdout.some((line) => line.includes(`${mqtt?.port}`)));
  child.signal("SIGINT");
  await client.expect("disconnect", { reasonCode: 0x8b });
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(processes.some(({ pid }) => isRunning(pid))).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

test("--restart starts again what has died; --data keeps everything there", async () => {
  const data = `${await tempDir()}/data`;
  const { child, read } = await started(["--restart", "--data", data]);
  const store = read().processes[1] as Said["processes"][number];
  process.kill(store.pid, "SIGKILL");
  await waitFor(() => read().processes[1]?.pid !== store.pid);
  const { mqtt } = read().processes[2] as Said["processes"][number];
  const client = await RawClient.connected(mqtt as NonNullable<typeof mqtt>);
  await waitFor(async () => {
    const puback = await client.publish("a", "x", { qos: 1 });
    return puback?.reasonCode === 0x10;
  });
  child.signal("SIGTERM");
  expect((await child.exited).code).toBe(0);
  expect(existsSync(store.data ?? "")).toBe(true);
});

test("a signal while it starts ends what has been started", async () => {
  const child = launch(small);
  await waitFor(() => child.stdout.length > 0);
  child.signal("SIGINT");
  expect((await child.exited).code).toBe(0);
});

test("wrong flags are told in one line, with exit code 2", async () => {
  const child = launch(["--gateway", "3"]);
  expect((await child.exited).code).toBe(2);
  expect(child.stderr).toEqual([
    "canopy: Unknown option '--gateway'; there are --gateways, --session, --store, --backend, --data, " +
      "--json, --restart, --help",
  ]);
});
