/** Sequence numbers, from 1, by publisher and topic. */
export class Numbers {
  readonly #last = new Map<string, number>();

  next(publisher: string, topic: string): number {
    const name = `${publisher} ${topic}`;
    const number = (this.#last.get(name) ?? 0) + 1;
    this.#last.set(name, number);
    return number;
  }
}
