/** Ports of the loopback address that stay free until somebody listens on them. */
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Below those that systems give to outgoing connections (Linux: from 32768, others: from 49152), so that
 * none of these takes one in between, nor once its process is away for a while.
 */
const FIRST = 20_000;
const COUNT = 12_000;
/** Clusters that are started at the same time, as by tests, look in different places. */
const APART = 48;

/** A file for each port that a cluster on this machine has been given, also while nobody listens there. */
const CLAIMS: string = join(tmpdir(), "canopy-ports");

let next = ((process.pid * APART) % COUNT) + FIRST;
const claimed = new Set<string>();
process.once("exit", () => {
  for (const claim of claimed) rmSync(claim, { force: true });
});

/** So many ports that nothing listens on, none of them given to a cluster that may yet run. */
export async function freePorts(count: number): Promise<number[]> {
  mkdirSync(CLAIMS, { recursive: true });
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries++) {
    if (tries > COUNT) throw new Error("no port is free");
    const port = next;
    next = port + 1 < FIRST + COUNT ? port + 1 : FIRST;
    if (claim(join(CLAIMS, `${port}`)) && (await isFree(port))) found.push(port);
  }
  return found;
}

/** False where a process that runs has it. */
function claim(path: string): boolean {
  for (;;) {
    try {
      writeFileSync(path, `${process.pid}`, { flag: "wx" });
      claimed.add(path);
      return true;
    } catch (error) {
      // claims only help: where there can be none, a port that is free has to do
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return true;
    }
    if (isRunning(ownerOf(path))) return false;
    rmSync(path, { force: true });
  }
}

/** Undefined where it has been given up meanwhile. */
function ownerOf(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  // one that has just been made, and says nothing yet
  if (pid === 0) return true;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
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
