import type { Timer } from "@canopy/base";
import { type DoneRanges, type Progress, SessionError } from "@canopy/session";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";

/** How far durable sessions have come, flushed for all of them in one command every so often. */
export class ProgressFlush {
  readonly #gateway: Gateway;
  readonly #interval: number;
  readonly #dirty = new Set<Client>();
  #timer: Timer | undefined = undefined;
  #flushing = false;
  #stopped = false;

  constructor(gateway: Gateway, interval: number) {
    this.#gateway = gateway;
    this.#interval = interval;
  }

  changed(client: Client): void {
    this.#dirty.add(client);
    if (this.#timer === undefined && !this.#flushing && !this.#stopped) this.#arm();
  }

  /** The client's release says it all. */
  forget(client: Client): void {
    this.#dirty.delete(client);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#gateway.timers.set(this.#interval, () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = [...this.#dirty].map((client) => takeProgress(client));
    const clients = [...this.#dirty];
    this.#dirty.clear();
    this.#flushing = true;
    this.#gateway.sessions.progress(batch).then(
      () => this.#done(),
      (error: unknown) => {
        if (!(error instanceof SessionError && error.code === "closed")) {
          this.#gateway.logger.warn({ error }, "committing progress failed; trying again");
          for (const client of clients) this.#again(client);
        }
        this.#done();
      },
    );
  }

  /** What was not committed counts as changed. */
  #again(client: Client): void {
    if (client.ended) return;
    for (const reader of client.outbox.readers) if (reader !== undefined) reader.flushed = 0;
    this.#dirty.add(client);
  }

  #done(): void {
    this.#flushing = false;
    if (this.#dirty.size > 0 && !this.#stopped) this.#arm();
  }
}

/** What has changed since the last time. */
export function takeProgress(client: Client): Progress {
  const cursors: number[] = [];
  const done: DoneRanges[] = [];
  for (const reader of client.outbox.readers) {
    if (reader === undefined || !reader.changed) continue;
    cursors.push(reader.shard, reader.cursor);
    const ranges = reader.done();
    if (ranges !== undefined) done.push(ranges);
    reader.flush();
  }
  return {
    incarnation: client.incarnation,
    epoch: client.epoch,
    cursors,
    done,
    drained: client.drainedFilters.splice(0),
    retainedSent: client.retainedSent.splice(0),
  };
}
