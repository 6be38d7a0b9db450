/**
 * etcd, three members on the loopback interface over the same disk. Puts go to its leader by gRPC,
 * its own protocol, from two client processes: one request per put, so many in flight, over a few
 * connections. What it takes to speak gRPC is in its figures; ours have no client protocol.
 */
import { execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "@canopy/testkit";
import { Caller } from "./calls.ts";
import type { PutLoad, PutResult } from "./etcd-client.ts";
import { withFolder } from "./measures.ts";

export interface EtcdFigures {
  readonly version: string;
  readonly one: PutResult;
  readonly many: PutResult;
}

const CLIENTS = 2;

/** Undefined where etcd is not installed. */
export function etcdVersion(): string | undefined {
  try {
    const text = execFileSync("etcd", ["--version"], { encoding: "utf8" });
    return /etcd Version: (\S+)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

export function measureEtcd(version: string, ms: number, inflight: number): Promise<EtcdFigures> {
  return withFolder(async (directory) => {
    const members = await Promise.all(
      [1, 2, 3].map(async (i) => ({
        name: `e${i}`,
        client: await freePort(),
        peer: await freePort(),
      })),
    );
    const cluster = members.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join();
    const children = members.map(({ name, client, peer }) =>
      spawn("etcd", argumentsOf(name, join(directory, name), client, peer, cluster), {
        stdio: "ignore",
      }),
    );
    try {
      const port = await leaderPort(members.map(({ client }) => client));
      const one = await puts(port, 1, { inflight: 1, ms, bytes: 256 });
      const many = await puts(port, CLIENTS, { inflight: inflight / CLIENTS, ms, bytes: 256 });
      return { version, one, many };
    } finally {
      for (const child of children) {
        const gone = once(child, "exit");
        if (child.kill("SIGKILL")) await gone;
      }
    }
  });
}

function argumentsOf(
  name: string,
  directory: string,
  client: number,
  peer: number,
  cluster: string,
): string[] {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const options = {
    name,
    "data-dir": directory,
    "log-level": "error",
    "listen-client-urls": at(client),
    "advertise-client-urls": at(client),
    "listen-peer-urls": at(peer),
    "initial-advertise-peer-urls": at(peer),
    "initial-cluster": cluster,
    "initial-cluster-state": "new",
  };
  return Object.entries(options).map(([option, value]) => `--${option}=${value}`);
}

interface StatusAnswer {
  readonly header: { readonly member_id: string };
  readonly leader?: string;
}

async function leaderPort(ports: readonly number[]): Promise<number> {
  const end = performance.now() + 20_000;
  while (performance.now() < end) {
    for (const port of ports) {
      const answer = await status(port).catch(() => undefined);
      if (answer?.leader !== undefined && answer.leader === answer.header.member_id) return port;
    }
    await pause(100);
  }
  throw new Error("etcd has no leader");
}

async function status(port: number): Promise<StatusAnswer> {
  const url = `http://127.0.0.1:${port}/v3/maintenance/status`;
  const answer = await fetch(url, { method: "POST", body: "{}" });
  return (await answer.json()) as StatusAnswer;
}

async function puts(port: number, clients: number, load: PutLoad): Promise<PutResult> {
  const children = Array.from({ length: clients }, () =>
    fork(join(import.meta.dirname, "etcd-client.ts"), {
      execArgv: ["--conditions=source"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    }),
  );
  try {
    const results = await Promise.all(
      children.map((child) => new Caller(child).call<PutResult>("puts", { port, load })),
    );
    return {
      perSecond: results.reduce((sum, { perSecond }) => sum + perSecond, 0),
      p50: Math.max(...results.map(({ p50 }) => p50)),
      p99: Math.max(...results.map(({ p99 }) => p99)),
      core: Math.max(...results.map(({ core }) => core)),
    };
  } finally {
    for (const child of children) child.kill();
  }
}
