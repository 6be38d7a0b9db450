import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { end, start } from "../child.ts";
import type { Broker, BrokerOptions } from "./broker.ts";

const COMMANDS = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "mosquitto"];
const LOOKS = 20;
const PATIENCE = 20_000;

/** Its command and version; undefined where it is not installed. */
export function findMosquitto():
  | { readonly command: string; readonly version: string }
  | undefined {
  for (const command of COMMANDS) {
    if (command.startsWith("/") && !existsSync(command)) continue;
    const { stdout, error } = spawnSync(command, ["-h"], { encoding: "utf8" });
    const version = /mosquitto version (\S+)/.exec(stdout ?? "")?.[1];
    if (error === undefined && version !== undefined) return { command, version };
  }
  return undefined;
}

/** No limits on messages in flight or queued; with durable sessions, the persistence that it has. */
function configuration(port: number, options: BrokerOptions): string {
  return [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "max_inflight_messages 0",
    "max_queued_messages 0",
    "max_queued_bytes 0",
    "log_dest none",
    // Started by root, it would become another user, who may not write here.
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    `persistence ${options.durable}`,
    `persistence_location ${join(options.folder, "mosquitto")}/`,
    "",
  ].join("\n");
}

export async function startMosquitto(options: BrokerOptions): Promise<Broker> {
  return launch(options, await freePort());
}

async function launch(options: BrokerOptions, port: number): Promise<Broker> {
  const command = findMosquitto()?.command;
  if (command === undefined) throw new Error("mosquitto is not installed");
  await mkdir(join(options.folder, "mosquitto"), { recursive: true });
  const file = join(options.folder, "mosquitto.conf");
  await writeFile(file, configuration(port, options));
  const child = start(command, ["-c", file], {
    cores: options.cores,
    stdio: ["ignore", "ignore", "ignore"],
  });
  await listens(port, () => child.exitCode === null && child.signalCode === null);
  return {
    name: "mosquitto",
    processes: [{ role: "broker", pid: child.pid ?? 0 }],
    host: "127.0.0.1",
    port,
    version: 5,
    stop: () => end(child),
    restart: async () => {
      await end(child);
      return launch(options, port);
    },
  };
}

/** It cannot be told to choose a port, so one is tried that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function listens(port: number, isAlive: () => boolean): Promise<void> {
  const late = performance.now() + PATIENCE;
  while (isAlive() && performance.now() < late) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOKS));
  }
  throw new Error("mosquitto does not listen");
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
