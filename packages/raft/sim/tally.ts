/** What many seeds did together. */
import type { RunResult } from "./run.ts";

export class Tally {
  seeds = 0;
  simulated = 0;
  readonly counts = new Map<string, number>();
  readonly faults = new Map<string, number>();

  add({ counts, faults, simulated }: RunResult): void {
    this.seeds++;
    this.simulated += simulated;
    for (const [name, count] of Object.entries(counts)) bump(this.counts, name, count);
    for (const [name, count] of Object.entries(faults)) bump(this.faults, name, count);
  }

  print(seconds: number): void {
    const rate = (this.seeds / seconds).toFixed(1);
    const events = this.counts.get("events") ?? 0;
    console.log(`${this.seeds} seeds in ${seconds.toFixed(1)} s: ${rate} seeds/s`);
    console.log(
      `${events} events (${Math.round(events / seconds)}/s), ${Math.round(this.simulated / 1000)} simulated seconds`,
    );
    console.log(`did:    ${list(this.counts)}`);
    console.log(`faults: ${list(this.faults)}`);
  }
}

function bump(map: Map<string, number>, name: string, by: number): void {
  map.set(name, (map.get(name) ?? 0) + by);
}

function list(map: ReadonlyMap<string, number>): string {
  return [...map]
    .filter(([name]) => name !== "events")
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
