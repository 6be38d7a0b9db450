import { hostname } from "node:os";
import { loadConfig } from "@canopy/config";
import { expect, test } from "vitest";
import { advertised } from "./advertised.ts";

function of(listening: string, ...settings: string[]): string {
  const all = ["cluster.nodes=n1=host1:7401,n2=host2:7402", `rpc.listen=${listening}`, ...settings];
  const argv = all.flatMap((one) => ["--set", one]);
  const sources = { argv, env: {}, readFile: () => "", hostname: "machine" };
  return advertised(loadConfig({ ...sources, role: "store" }).config, listening);
}

test.each([
  ["what is set", "0.0.0.0:7400", ["rpc.advertise=here:1", "node.name=n1"], "here:1"],
  ["what cluster.nodes says of it", "0.0.0.0:7400", ["node.name=n2"], "host2:7402"],
  ["where it listens", "192.0.2.1:7400", [], "192.0.2.1:7400"],
  ["a socket", "unix:/run/canopy.sock", [], "unix:/run/canopy.sock"],
  ["the machine's name where it listens everywhere", "0.0.0.0:7400", [], `${hostname()}:7400`],
  ["… also by IPv6", "[::]:7400", [], `${hostname()}:7400`],
])("others reach it by %s", (_, listening, settings, wanted) => {
  expect(of(listening, ...settings)).toBe(wanted);
});
