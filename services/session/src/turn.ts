/** Collects what is asked in one turn of the event loop and handles it at once. */
export class Turn<T> {
  readonly #handle: (items: readonly T[]) => void;
  #items: T[] = [];
  #scheduled: NodeJS.Immediate | undefined;

  constructor(handle: (items: readonly T[]) => void) {
    this.#handle = handle;
  }

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** Now, not at the end of the turn. */
  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const items = this.#items;
    this.#items = [];
    if (items.length > 0) this.#handle(items);
  }
}
