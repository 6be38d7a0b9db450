/** The run as one number, and, where somebody wants to read it, as lines. */
export class Journal {
  #hash = 0x811c9dc5;
  readonly #lines: string[] | undefined;
  readonly #keep: number;

  /** Keeps the last so many lines; 0 for none. */
  constructor(keep: number) {
    this.#keep = keep;
    this.#lines = keep > 0 ? [] : undefined;
  }

  /** Whether lines are wanted: ask before building one. */
  get reading(): boolean {
    return this.#lines !== undefined;
  }

  get hash(): number {
    return this.#hash >>> 0;
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  mark(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }

  markText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mark(text.charCodeAt(i));
  }

  write(time: number, who: string, what: string): void {
    const lines = this.#lines;
    if (lines === undefined) return;
    lines.push(`${time.toFixed(3).padStart(10)} ${who.padEnd(4)} ${what}`);
    if (lines.length > 2 * this.#keep) lines.splice(0, lines.length - this.#keep);
  }
}
