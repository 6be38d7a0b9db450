/** Random choices of one seed. Streams are split by name, so that a new use of one leaves the others alone. */
import { pick, type Random, seededRandom } from "@canopy/base";

export class Dice implements Random {
  readonly #random: Random;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  split(name: string): Dice {
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return new Dice((this.#seed * 1_000_003 + (hash >>> 0)) % Number.MAX_SAFE_INTEGER);
  }

  next(): number {
    return this.#random.next();
  }

  /** True with this probability; draws nothing where it is certain. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    return probability >= 1 || this.#random.next() < probability;
  }

  /** An integer from `low` up to and with `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random.next() * (high - low + 1));
  }

  real(low: number, high: number): number {
    return low + this.#random.next() * (high - low);
  }

  /** Mostly small, seldom large: uniform on a logarithmic scale. */
  scale(low: number, high: number): number {
    return low * (high / low) ** this.#random.next();
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.#random.next());
  }

  pick<T>(items: readonly T[]): T {
    return pick(this.#random, items);
  }
}
