import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event, What } from "./event.ts";
import { settled } from "./settled.ts";

/** What happened since it was last found to be right, in memory. */
export class History {
  readonly #began = performance.now();
  #events: Event[] = [];
  #connections = 0;

  get events(): readonly Event[] {
    return this.#events;
  }

  /** Milliseconds since the suite began. */
  get now(): number {
    return performance.now() - this.#began;
  }

  nextConnection(): number {
    return ++this.#connections;
  }

  add(what: What): void {
    this.#events.push({ at: this.now, ...what });
  }

  /** All that was due has come, and was right: of it only what later checks need is kept. */
  settle(): void {
    this.#events = settled(this.#events);
  }

  /** Into a file, one event as JSON per line, whose path it returns. */
  write(name: string): string {
    const path = join(tmpdir(), `canopy-faults-${name}.jsonl`);
    const line = (event: Event) => JSON.stringify({ ...event, at: Number(event.at.toFixed(2)) });
    writeFileSync(path, `${this.#events.map(line).join("\n")}\n`);
    return path;
  }
}
