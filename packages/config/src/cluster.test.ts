import { describe, expect, test } from "vitest";
import { ConfigError } from "./error.ts";
import { loadConfig } from "./load.ts";
import type { Role } from "./roles.ts";

const nodes = "cluster.nodes=n1=127.0.0.1:1,n2=[::1]:2,n3.example.org:3";

function load(role: Role, ...given: readonly string[]) {
  const argv = given.flatMap((setting) => ["--set", setting]);
  const readFile = () => "store: { segmentBytes: 8MiB }";
  const sources = { argv: [...argv, "--config", "f"], env: {}, readFile };
  return loadConfig({ ...sources, role, hostname: "machine" });
}

function problem(role: Role, ...given: readonly string[]): string {
  try {
    load(role, ...given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "no problem";
}

describe("session nodes", () => {
  test("come with their names, or are named by their hosts", () => {
    const { config } = load("session", nodes, "node.name=n3");
    const found = config.cluster.nodes?.map(({ name, endpoint }) => [name, endpoint.text]);
    expect(found).toEqual([
      ["n1", "127.0.0.1:1"],
      ["n2", "[::1]:2"],
      ["n3", "n3.example.org:3"],
    ]);
    expect(config.store.shards).toBe(16);
  });

  test.each([
    ["127.0.0.1:1", "needs a name: NAME=127.0.0.1:1"],
    ["n1=127.0.0.1", "the port is missing"],
    ["n1=127.0.0.1:0", "nobody can be reached at port 0"],
    ["n1=127.0.0.1:70000", "no port 70000"],
    ["n 1=127.0.0.1:1", "n 1 is no name of a node"],
    ["n1=300.1.1.1:1", "300.1.1.1 is no host"],
    ["n1=a:1,n1=b:1", "two nodes are called n1"],
  ])("cluster.nodes=%s: %s", (value, reason) => {
    const said = problem("gateway", `cluster.nodes=${value}`);
    expect(said).toMatch(/^cluster\.nodes: /);
    expect(said).toContain(reason);
  });

  test("nobody starts without knowing any", () => {
    for (const role of ["gateway", "session", "store"] as const) {
      expect(problem(role)).toBe(
        "cluster.nodes: it is not set; allowed: NAME=HOST:PORT of each session node; or cluster.discovery",
      );
      expect(problem(role, nodes, "cluster.discovery=d:1")).toMatch(/^cluster\.discovery: /);
    }
  });

  test("one that creates a cluster knows how many there are; one that joins it later is not named", () => {
    expect(load("session", nodes, "node.name=n4").config.node.name).toBe("n4");
    expect(problem("session", nodes, "node.name=n1", "cluster.size=2")).toMatch(
      /^cluster\.size: got 2, but cluster\.nodes names 3/,
    );
    expect(problem("session", "cluster.discovery=d:1")).toMatch(/^cluster\.size: it is not set/);
    const found = load("session", "cluster.discovery=d:1", "cluster.size=3");
    expect(found.config.cluster.discovery).toEqual({ text: "d:1", host: "d", port: 1 });
    expect(problem("session", nodes, "node.name=n1", "cluster.absence=9s")).toMatch(
      /^cluster\.absence: got 9000; it is longer than cluster\.lease, 3000 ms/,
    );
  });
});

test("a flag that a process has no use for is an error, in a file it is a warning", () => {
  expect(problem("gateway", nodes, "store.backend=leveldb")).toBe(
    "store.backend (--set) has no effect on a gateway: it is for the standalone broker, a store process",
  );
  expect(problem("standalone", nodes)).toMatch(/^cluster\.nodes \(--set\) has no effect/);
  expect(load("gateway", nodes).warnings).toEqual([
    "store.segmentBytes (f) has no effect on a gateway: it is for the standalone broker, a store process",
  ]);
  expect(load("store", nodes).warnings).toEqual([]);
});

describe("rpc", () => {
  test("a place that others can reach, and that asks for no certificate, is warned of", () => {
    const open = "rpc.listen=0.0.0.0:7400";
    expect(load("store", nodes, open).warnings).toEqual([
      "rpc.listen: 0.0.0.0:7400 can be reached from other machines, and whoever reaches it may do " +
        "everything: keep it in a network of its own, or set rpc.tls.requireClientCert=true",
    ]);
    const tls = ["ca=a", "cert=b", "key=c", "requireClientCert=true"].map(
      (one) => `rpc.tls.${one}`,
    );
    expect(load("store", nodes, open, ...tls).warnings).toEqual([]);
    expect(load("store", nodes, "rpc.listen=unix:/run/canopy").warnings).toEqual([]);
  });

  test.each([
    [["cert=b"], "rpc.tls.key: it is not set, and rpc.tls.cert is"],
    [["key=b"], "rpc.tls.cert: it is not set, and rpc.tls.key is"],
    [["requireClientCert=true"], "rpc.tls.ca: it is not set, and rpc.tls.requireClientCert is"],
    [["ca=a"], "rpc.tls.cert: it is not set, and a process that serves others needs one"],
  ])("%j: %s", (tls, reason) => {
    const given = tls.map((one) => `rpc.tls.${one}`);
    expect(problem("store", nodes, ...given)).toContain(reason);
  });

  test("a gateway serves nobody, so a certificate of others is enough", () => {
    expect(problem("gateway", nodes, "rpc.tls.ca=a")).toBe("no problem");
    expect(problem("gateway", nodes, "rpc.listen=127.0.0.1:1")).toMatch(/^rpc\.listen .*no effect/);
  });
});
