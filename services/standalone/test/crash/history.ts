import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How many of the latest events are kept. */
const KEPT = 500_000;

/** What happened in a run, to be read when it has failed. */
export class History {
  readonly #began = performance.now();
  #lines: string[] = [];
  /** What no broker may do, as the clients saw it. */
  readonly violations: string[] = [];

  note(who: string, what: string): void {
    const at = (performance.now() - this.#began).toFixed(1).padStart(9);
    this.#lines.push(`${at} ${who} ${what}`);
    if (this.#lines.length > KEPT * 2) this.#lines = this.#lines.slice(-KEPT);
  }

  violation(who: string, what: string): void {
    this.note(who, `VIOLATION ${what}`);
    this.violations.push(`${who}: ${what}`);
  }

  /** Into a file whose path it returns. */
  write(name: string): string {
    const path = join(tmpdir(), `canopy-${name}.log`);
    writeFileSync(path, `${this.#lines.join("\n")}\n`);
    return path;
  }
}
