import { type Logger, silentLogger } from "@canopy/base";
import { loadConfig } from "@canopy/config";
import type { SessionNode } from "@canopy/control";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import type { Dns } from "./discovery.ts";
import { SessionNodes } from "./session-nodes.ts";

/** What DNS says; changed by tests. */
class FakeDns implements Dns {
  records: { name: string; port: number }[] = [];
  hosts: Record<string, string> = {};
  fails = false;

  readonly srv = async () => this.#said(this.records);
  readonly addresses = async () => this.#said(Object.keys(this.hosts));
  readonly names = async (address: string) => this.#said([this.hosts[address] ?? ""]);

  #said<T>(found: T): T {
    if (this.fails) throw new Error("SERVFAIL");
    return found;
  }
}

function make(...settings: string[]) {
  const time = new FakeTime();
  const dns = new FakeDns();
  const said: string[] = [];
  const known = new Map<string, SessionNode>();
  const argv = settings.flatMap((one) => ["--set", one]);
  const sources = { argv, env: {}, readFile: () => "", hostname: "machine" };
  const { config } = loadConfig({ ...sources, role: "gateway" });
  const logger: Logger = { ...silentLogger, info: (_, message) => void said.push(message) };
  const view = { node: (name: string) => known.get(name), nodes: () => [...known.values()] };
  const nodes = new SessionNodes({
    cluster: { ...config.cluster, size: 3 },
    view: () => view,
    timers: time,
    logger,
    dns,
  });
  const announce = (name: string, address: string): void => {
    known.set(name, { name, address, disk: 1, replica: 1, standing: "member", drained: false });
  };
  return { time, dns, said, nodes, announce };
}

const discovery = "cluster.discovery=nodes.example:7400";

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("are those of the configuration, where the control log says that they are now", async () => {
  const { nodes, announce, time } = make("cluster.nodes=n1=h1:1,n2=h2:2");
  await nodes.start();
  expect(nodes.describe()).toBe("n1 (h1:1), n2 (h2:2)");
  announce("n2", "h2:22");
  announce("n3", "h3:3");
  expect(nodes.names()).toEqual(["n1", "n2", "n3"]);
  expect(nodes.describe()).toBe("n1 (h1:1), n2 (h2:22), n3 (h3:3)");
  expect(nodes.address("n4")).toBeUndefined();
  expect(nodes.describe(["n4"])).toBe("n4 (not known)");
  // Nobody is asked.
  expect(time.pending).toBe(0);
});

test("are the SRV records of a name, each called by the first part of its host", async () => {
  const { nodes, dns } = make(discovery);
  dns.records = [
    { name: "node-0.nodes.example", port: 7401 },
    { name: "node-1.nodes.example", port: 7402 },
  ];
  dns.hosts = { "192.0.2.1": "other.example" };
  await nodes.start();
  expect(nodes.describe()).toBe(
    "node-0 (node-0.nodes.example:7401), node-1 (node-1.nodes.example:7402)",
  );
  await nodes.stop();
});

test("are, without SRV records, its addresses that have a name, at the port of the setting", async () => {
  const { nodes, dns } = make(discovery);
  dns.hosts = { "192.0.2.1": "a.example", "192.0.2.2": "", "192.0.2.3": "c.example" };
  await nodes.start();
  expect(nodes.describe()).toBe("a (a.example:7400), c (c.example:7400)");
  await nodes.stop();
});

test("are looked for again, soon where there is none; who is away for a moment is not forgotten", async () => {
  const { nodes, dns, time } = make(discovery);
  dns.fails = true;
  await nodes.start();
  expect(nodes.names()).toEqual([]);
  dns.fails = false;
  dns.records = [{ name: "a.example", port: 1 }];
  time.advance(500);
  await settled();
  expect(nodes.names()).toEqual(["a"]);
  dns.records = [{ name: "b.example", port: 2 }];
  time.advance(4_999);
  await settled();
  expect(nodes.names()).toEqual(["a"]);
  time.advance(1);
  await settled();
  expect(nodes.names()).toEqual(["a", "b"]);
  await nodes.stop();
  expect(time.pending).toBe(0);
});

test("found a cluster when there are enough, and it is said for how many it is waited", async () => {
  const { nodes, dns, time, said } = make(discovery);
  dns.records = [{ name: "b.example", port: 1 }];
  await nodes.start();
  const founders = nodes.founders(2);
  await settled();
  expect(said).toEqual(["waiting until nodes.example names 2 session nodes"]);
  dns.records = [{ name: "a.example", port: 1 }];
  time.advance(5_000);
  expect(await founders).toEqual(["a", "b"]);
  await nodes.stop();
});

test("whoever waits for them is told when it is stopped", async () => {
  const { nodes } = make(discovery);
  await nodes.start();
  const founders = nodes.founders(2);
  await settled();
  await nodes.stop();
  expect(await founders).toBeUndefined();
});
