import type { Draft } from "./draft.ts";
import type { Posting } from "./queues.ts";

/** The queue of a durable filter or of a shared group, in all shards. */
export class Queue {
  readonly name: string;
  /** The append that is being put together, and what of it is for this queue. */
  draft: Draft | undefined = undefined;
  posting: Posting | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }
}
