/** HAProxy in front of the gateways, where it is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterProcess } from "./cluster-process.ts";
import { freePorts } from "./ports.ts";

const HOST = "127.0.0.1";

export interface Balancer {
  readonly pid: number;
  readonly mqtt: { readonly host: string; readonly port: number };
  readonly ws: { readonly url: string };
  stop(): Promise<void>;
}

/** Undefined where there is no HAProxy, or where it does not run. */
export async function startBalancer(
  gateways: readonly ClusterProcess[],
  folder: string,
): Promise<Balancer | undefined> {
  if (spawnSync("haproxy", ["-v"]).status !== 0) return undefined;
  const [mqtt = 0, ws = 0] = await freePorts(2);
  const file = join(folder, "haproxy.cfg");
  await writeFile(file, configuration(gateways, mqtt, ws));
  const child = spawn("haproxy", ["-db", "-q", "-f", file], { stdio: "ignore", detached: true });
  try {
    await once(child, "spawn");
  } catch {
    return undefined;
  }
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    pid: child.pid ?? 0,
    mqtt: { host: HOST, port: mqtt },
    ws: { url: `ws://${HOST}:${ws}/mqtt` },
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill("SIGTERM");
  await ended;
}

/** A gateway listens while it has its place in the cluster, so that a connection is check enough. */
function configuration(gateways: readonly ClusterProcess[], mqtt: number, ws: number): string {
  const servers = (port: (gateway: ClusterProcess) => string | number | undefined): string[] =>
    gateways.map((gateway) => `  server ${gateway.name} ${HOST}:${port(gateway)} check`);
  return [
    "defaults",
    "  mode tcp",
    "  timeout connect 2s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  option redispatch",
    "  balance leastconn",
    "  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions",
    `listen mqtt`,
    `  bind ${HOST}:${mqtt}`,
    ...servers((gateway) => gateway.mqtt?.port),
    `listen ws`,
    `  bind ${HOST}:${ws}`,
    ...servers((gateway) => URL.parse(gateway.ws?.url ?? "")?.port),
    "",
  ].join("\n");
}
