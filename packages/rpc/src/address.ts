/** Where a server listens: `host:port`, or `unix:` and the path of a socket. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect } from "node:net";

const UNIX = "unix:";

export function isUnix(address: string): boolean {
  return address.startsWith(UNIX);
}

/** `address` with the port that was given for port 0. */
export function bound(address: string, port: number): string {
  return isUnix(address) ? address : `${address.slice(0, address.lastIndexOf(":"))}:${port}`;
}

/** A process that was killed leaves its socket behind: one at which nobody listens is removed. */
export async function removeStale(address: string): Promise<void> {
  if (!isUnix(address)) return;
  const path = address.slice(UNIX.length);
  const socket = connect(path);
  try {
    await once(socket, "connect");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") await rm(path);
  } finally {
    socket.destroy();
  }
}
