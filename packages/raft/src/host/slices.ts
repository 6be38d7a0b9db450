/** Work on many chunks that lets the event loop go on in between. */
import type { Clock } from "@canopy/base";
import { SLICE_BYTES, SLICE_MS } from "./limits.ts";

export class Slices {
  readonly #clock: Clock;
  readonly #breathe: () => Promise<void>;
  #bytes = 0;
  #began: number;

  constructor(clock: Clock, breathe: () => Promise<void>) {
    this.#clock = clock;
    this.#breathe = breathe;
    this.#began = clock.now();
  }

  /** After each chunk. */
  async did(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < SLICE_BYTES && this.#clock.now() - this.#began < SLICE_MS) return;
    await this.#breathe();
    this.#bytes = 0;
    this.#began = this.#clock.now();
  }
}
