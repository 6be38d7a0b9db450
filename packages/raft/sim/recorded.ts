/** Seeds that once failed: "SEED what it found" per line of seeds.txt. */
import { readFileSync } from "node:fs";

export function recordedSeeds(): readonly number[] {
  return readFileSync(new URL("./seeds.txt", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => /^\d/.test(line))
    .map((line) => Number.parseInt(line, 10));
}
