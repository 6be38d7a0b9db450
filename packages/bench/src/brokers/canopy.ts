import { readFileSync } from "node:fs";
import { join } from "node:path";
import { end, start } from "../child.ts";
import { root } from "../temp-folder.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import { firstMatch } from "./first-match.ts";

/** The broker's main file in a checkout. */
export function mainIn(tree: string): string {
  return join(tree, "services", "standalone", "src", "main.ts");
}

/** Node's options in `npm start` of the tree that has this main file. */
export function nodeOptions(main: string): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(join(main, "../../../../package.json"), "utf8"));
  const found = / node ((?:--\S+ )+)services\/standalone\//.exec(String(scripts.start))?.[1];
  if (found === undefined) throw new Error(`npm start of ${main} is not understood`);
  return found.trim().split(" ");
}

/** The standalone broker as it is started by `npm start`. */
export async function startCanopy(options: BrokerOptions): Promise<Broker> {
  const set = Object.entries(options.set ?? {}).flatMap(([key, value]) => [
    "--set",
    `${key}=${value}`,
  ]);
  const main = options.main ?? mainIn(root);
  const child = start(
    process.execPath,
    [
      ...nodeOptions(main),
      main,
      "--data",
      join(options.folder, "data"),
      "--listen",
      "tcp://127.0.0.1:0",
      ...set,
    ],
    { cores: options.cores, stdio: ["ignore", "pipe", "inherit"] },
  );
  const address = await firstMatch(child, /"listener":"tcp:\/\/([\d.]+):(\d+)"/);
  return {
    name: "canopy",
    processes: [{ role: "broker", pid: child.pid ?? 0 }],
    host: address[1] ?? "",
    port: Number(address[2]),
    version: 5,
    stop: () => end(child),
    restart: async () => {
      await end(child);
      return startCanopy(options);
    },
  };
}
