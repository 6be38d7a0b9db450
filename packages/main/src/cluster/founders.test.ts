import { type Config, loadConfig } from "@canopy/config";
import { tempDir, testScope } from "@canopy/testkit";
import { expect, test } from "vitest";
import { foundersOf } from "./founders.ts";
import type { SessionNodes } from "./session-nodes.ts";

async function configOf(name: string, data: string | undefined, ...more: string[]) {
  const folder = data ?? (await tempDir(testScope()));
  const settings = [`node.name=${name}`, `data=${folder}`, ...more];
  const argv = settings.flatMap((one) => ["--set", one]);
  const sources = { argv, env: {}, readFile: () => "", hostname: "machine" };
  return loadConfig({ ...sources, role: "session" }).config;
}

/** What DNS says, once it has said enough. */
function founders(config: Config, ...dns: readonly string[]) {
  const nodes: Pick<SessionNodes, "founders"> = { founders: async () => dns };
  return foundersOf(config, nodes as SessionNodes);
}

const discovery = ["cluster.discovery=nodes:7400", "cluster.size=3"];

test("are those of the configuration, whoever else joins later", async () => {
  const config = await configOf("n4", undefined, "cluster.nodes=n1=h:1,n2=h:2,n3=h:3");
  expect(await founders(config)).toEqual(["n1", "n2", "n3"]);
});

test("are the first of those that are counted, however many are started at once", async () => {
  const counted = ["canopy-0", "canopy-1", "canopy-2"];
  for (const name of ["canopy-0", "canopy-4", "canopy-12"]) {
    expect(await founders(await configOf(name, undefined, ...discovery))).toEqual(counted);
  }
});

test("are those that DNS named when there were enough; more say that there is a cluster", async () => {
  const config = await configOf("b", undefined, ...discovery);
  expect(await founders(config, "a", "b", "c")).toEqual(["a", "b", "c"]);
  const again = await configOf("b", config.data, ...discovery);
  expect(await founders(again, "a", "b", "c", "d")).toEqual(["a", "b", "c"]);
  const late = await configOf("d", undefined, ...discovery);
  expect(await founders(late, "a", "b", "c", "d")).toEqual([]);
});
