import type { Committer } from "./committer.ts";
import type { Op } from "./database.ts";

/** Housekeeping is given to the committer in portions of this size. */
const BYTES = 2 ** 20;
const OPS = 500;

/** Collects housekeeping writes that need not be atomic together, and hands them on in portions. */
export class OpBatch {
  readonly #committer: Committer;
  readonly #patient: boolean;
  #ops: Op[] = [];
  #bytes = 0;

  constructor(committer: Committer, patient: boolean = true) {
    this.#committer = committer;
    this.#patient = patient;
  }

  put(key: Buffer, value: Buffer): void {
    this.#ops.push({ type: "put", key, value });
    this.#bytes += key.length + value.length;
  }

  del(key: Buffer): void {
    this.#ops.push({ type: "del", key });
    this.#bytes += key.length;
  }

  get full(): boolean {
    return this.#bytes >= BYTES || this.#ops.length >= OPS;
  }

  /** Settles when everything collected is on disk. */
  async flush(): Promise<void> {
    if (this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.#bytes = 0;
    await this.#committer.write(ops, this.#patient);
  }
}
