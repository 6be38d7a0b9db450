/** Ports of the loopback address that stay free until somebody listens on them. */
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below those that systems give to outgoing connections (Linux: from 32768, others: from 49152), so that
 * none of these takes one in between, nor once its process is away for a while.
 */
const FIRST = 20_000;
const COUNT = 12_000;
/** Clusters that are started at the same time, as by tests, look in different places. */
const APART = 48;

let next = ((process.pid * APART) % COUNT) + FIRST;

/** So many ports that nothing listens on, none of them given before. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries++) {
    if (tries > COUNT) throw new Error("no port is free");
    const port = next;
    next = port + 1 < FIRST + COUNT ? port + 1 : FIRST;
    if (await isFree(port)) found.push(port);
  }
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
