/** Which messages of one publisher have come, to one subscriber or to one shared group. */
export class Received {
  /** Different messages that came. */
  distinct = 0;
  duplicates = 0;
  #bits = new Uint32Array(64);

  /** False if this one has come before. */
  add(sequence: number): boolean {
    const word = sequence >>> 5;
    if (word >= this.#bits.length) this.#grow(word);
    const bit = 1 << (sequence & 31);
    const before = this.#bits[word] as number;
    if ((before & bit) !== 0) {
      this.duplicates++;
      return false;
    }
    this.#bits[word] = before | bit;
    this.distinct++;
    return true;
  }

  #grow(word: number): void {
    const grown = new Uint32Array(Math.max(word + 1, this.#bits.length * 2));
    grown.set(this.#bits);
    this.#bits = grown;
  }
}

/** What one subscriber, or one shared group, should get: from which publishers, and what came. */
export class Expected {
  /** By publisher; those without an entry may not come here. */
  readonly #received: (Received | undefined)[] = [];

  expect(publisher: number): Received {
    const received = new Received();
    this.#received[publisher] = received;
    return received;
  }

  of(publisher: number): Received | undefined {
    return this.#received[publisher];
  }

  /** [publisher, what came of it] */
  *entries(): Iterable<[number, Received]> {
    for (const [publisher, received] of this.#received.entries()) {
      if (received !== undefined) yield [publisher, received];
    }
  }
}
