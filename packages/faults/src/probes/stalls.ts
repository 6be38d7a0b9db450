/** One attempt at something, from its first try to its success; both in ms since the suite began. */
interface Attempt {
  readonly began: number;
  ended: number | undefined;
}

/** How long something took, again and again: so it is seen for how long it did not work. */
export class Stalls {
  #attempts: Attempt[] = [];

  /** The answer ends it. */
  begin(now: number): (now: number) => void {
    const attempt: Attempt = { began: now, ended: undefined };
    this.#attempts.push(attempt);
    return (at) => {
      attempt.ended = at;
    };
  }

  /** Something was begun after this moment and has succeeded. */
  hasSucceededSince(from: number): boolean {
    return this.#attempts.some(({ began, ended }) => began >= from && ended !== undefined);
  }

  /** The longest time, from this moment on, for which an attempt went on. */
  longestSince(from: number, now: number): number {
    let longest = 0;
    for (const { began, ended = now } of this.#attempts) {
      if (ended >= from) longest = Math.max(longest, ended - Math.max(began, from));
    }
    return longest;
  }

  forget(): void {
    this.#attempts = this.#attempts.filter(({ ended }) => ended === undefined);
  }
}
