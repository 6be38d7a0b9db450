import { join } from "node:path";
import { end, start } from "../child.ts";
import { root } from "../temp-folder.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import { firstMatch } from "./first-match.ts";

const sourceMain = join(root, "services", "standalone", "src", "main.ts");

/** The standalone broker as it is started by `npm start`. */
export async function startCanopy(options: BrokerOptions): Promise<Broker> {
  const set = Object.entries(options.set ?? {}).flatMap(([key, value]) => [
    "--set",
    `${key}=${value}`,
  ]);
  const child = start(
    process.execPath,
    [
      "--conditions=source",
      options.main ?? sourceMain,
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
    pid: child.pid ?? 0,
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
