/** What can be known before anything is measured: what would fail later is refused at once. */
import { existsSync } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BrokerName } from "./brokers/broker.ts";
import { mainIn, nodeOptions } from "./brokers/canopy.ts";
import { isInstalled } from "./brokers/index.ts";
import { choose } from "./choose.ts";
import { fairnessScenarios } from "./fairness/scenarios.ts";
import { dimensions } from "./growth/dimensions.ts";
import { type Command, type Options, UsageError } from "./options.ts";
import { scenarios } from "./scenarios/index.ts";

/** What `--scenario` may name. */
export const scenariosOf: Readonly<
  Record<Command, readonly { readonly name: string; readonly without?: readonly BrokerName[] }[]>
> = { run: scenarios, fairness: fairnessScenarios, growth: dimensions, guard: [] };

const HOW_TO_INSTALL: Readonly<Record<BrokerName, string>> = {
  canopy: "it is this repository",
  cluster: "it is this repository",
  mosquitto: "apt-get install mosquitto, or https://mosquitto.org/download",
  aedes: "npx pnpm install",
};

/** @throws UsageError if this cannot be measured here. */
export async function preflight(options: Options): Promise<void> {
  requireLinux(process.platform);
  requireBrokers(options.brokers, isInstalled);
  requireScenarios(options);
  if (options.tree !== undefined) requireTree(options.tree);
  await requireWritable("json", options.json);
  await requireWritable("svg", options.svg);
}

export function requireLinux(platform: NodeJS.Platform): void {
  if (platform === "linux") return;
  throw new UsageError(
    `it measures by Linux's /proc, so it runs on Linux only; this is ${platform}`,
  );
}

/** Those that were asked for by name; without names, those that are not here are left out. */
export function requireBrokers(
  names: readonly BrokerName[] | undefined,
  isHere: (name: BrokerName) => boolean,
): void {
  const missing = names?.find((name) => !isHere(name));
  if (missing === undefined) return;
  const how = HOW_TO_INSTALL[missing];
  throw new UsageError(
    `${missing} is not installed (${how}): install it, or leave it out of --brokers`,
  );
}

export function requireScenarios({
  command,
  scenarios: names,
  brokers,
}: Pick<Options, "command" | "scenarios" | "brokers">): void {
  const some = choose(scenariosOf[command], names);
  const idle = some.find(
    ({ without }) => brokers?.every((name) => without?.includes(name) === true) === true,
  );
  // Among all scenarios, one that a broker cannot do is only left out.
  if (idle === undefined || names.length === 0) return;
  throw new UsageError(`scenario ${idle.name} cannot be done by ${brokers?.join(", ")}`);
}

export function requireTree(tree: string): void {
  const main = mainIn(tree);
  if (!existsSync(main)) throw new UsageError(`--tree ${tree} has no broker: ${main} is missing`);
  try {
    nodeOptions(main);
  } catch (error) {
    throw new UsageError(`--tree ${tree}: its package.json does not say how to start the broker`, {
      cause: error,
    });
  }
  if (!existsSync(join(tree, "node_modules"))) {
    throw new UsageError(`--tree ${tree} has no dependencies yet: install them there first`);
  }
}

/** Leaves no file behind. */
export async function requireWritable(flag: string, file: string | undefined): Promise<void> {
  if (file === undefined) return;
  try {
    const isThere = existsSync(file);
    const place = isThere ? file : dirname(file);
    if ((await stat(place)).isDirectory() === isThere) {
      throw new Error(isThere ? "it is a folder" : `${place} is not a folder`);
    }
    await access(place, constants.W_OK);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--${flag} ${file} cannot be written: ${why}`, { cause: error });
  }
}
