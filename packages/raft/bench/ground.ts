/** What the machine can do by itself: the ground on which the figures stand. */
import { once } from "node:events";
import { open } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";

export interface Latency {
  /** ms */
  readonly p50: number;
  readonly p99: number;
}

const BLOCK = 4096;
const SYNCS = 1_000;
const ROUNDS = 2_000;

export function machineText(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model ?? "unknown"}, ${availableParallelism()} cores, ${memory} GiB; ${type()} ${release()}; Node ${process.version}`;
}

/** 4 KiB written into a file that has its size already, and fdatasync. */
export async function syncLatency(directory: string): Promise<Latency> {
  const file = await open(join(directory, "latency"), "w+");
  try {
    await file.writeFile(Buffer.alloc(BLOCK * SYNCS));
    await file.sync();
    const block = Buffer.alloc(BLOCK, 1);
    const times: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      const began = performance.now();
      await file.write(block, 0, BLOCK, i * BLOCK);
      await file.datasync();
      times.push(performance.now() - began);
    }
    return latencyOf(times);
  } finally {
    await file.close();
  }
}

/** 300 bytes there and back over TCP on the loopback interface, within one process. */
export async function roundTrip(): Promise<Latency> {
  const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const began = performance.now();
    socket.write(Buffer.alloc(300));
    await once(socket, "data");
    times.push(performance.now() - began);
  }
  socket.destroy();
  server.close();
  return latencyOf(times);
}

export function latencyOf(times: readonly number[]): Latency {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
