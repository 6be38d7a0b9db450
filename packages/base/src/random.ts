/** Randomness as an argument, so that a simulation can be repeated from its seed. */
export interface Random {
  /** Uniform in [0, 1), with 53 random bits. */
  next(): number;
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

/** xoshiro128** of Blackman and Vigna: small, fast, and the same on every machine. */
class Xoshiro128 implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    // The state must not be all zero; splitmix spreads even seeds like 0, 1, 2 over it.
    let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
    const splitmix = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return z ^ (z >>> 16);
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix() | 1;
  }

  next(): number {
    const high = this.#step() >>> 5;
    const low = this.#step() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  #step(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }
}

/** The same seed gives the same sequence, on every platform and in every version. */
export function seededRandom(seed: number): Random {
  return new Xoshiro128(seed);
}

/** An integer in [0, bound). */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

export function randomBool(random: Random, probability = 0.5): boolean {
  return random.next() < probability;
}

/** One of the items, which must not be empty. */
export function pick<T>(random: Random, items: readonly T[]): T {
  if (items.length === 0) throw new RangeError("pick from no items");
  return items[randomInt(random, items.length)] as T;
}

/** Fisher–Yates, in place; returns the same array. */
export function shuffle<T>(random: Random, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(random, i + 1);
    const swapped = items[i] as T;
    items[i] = items[j] as T;
    items[j] = swapped;
  }
  return items;
}
