import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Calls back with every line of the stream, the last one also without its end. */
export function onLine(stream: Readable, use: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", use);
}
