import type { Timer } from "@canopy/base";
import { type DoneRanges, type Progress, SessionError } from "@canopy/session";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";

/** How far durable sessions have come, flushed for all of a session group in one command every so often. */
export class ProgressFlush {
  readonly #gateway: Gateway;
  readonly #interval: number;
  readonly #groups = new Map<number, GroupProgress>();
  #stopped = false;

  constructor(gateway: Gateway, interval: number) {
    this.#gateway = gateway;
    this.#interval = interval;
  }

  changed(client: Client): void {
    if (!this.#stopped) this.#groupOf(client).changed(client);
  }

  /** The client's release says it all. */
  forget(client: Client): void {
    this.#groupOf(client).forget(client);
  }

  stop(): void {
    this.#stopped = true;
    for (const group of this.#groups.values()) group.stop();
  }

  #groupOf({ incarnation }: Client): GroupProgress {
    const number = this.#gateway.sessions.groupOf?.(incarnation) ?? 0;
    let group = this.#groups.get(number);
    if (group === undefined) {
      group = new GroupProgress(this.#gateway, this.#interval);
      this.#groups.set(number, group);
    }
    return group;
  }
}

/** The same of one group. */
class GroupProgress {
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
    const clients = [...this.#dirty];
    const batch = clients.map((client) => takeProgress(client));
    this.#dirty.clear();
    this.#flushing = true;
    this.#gateway.sessions.progress(batch).then(
      () => {
        for (const client of clients) client.outbox.retained.told(true);
        this.#done();
      },
      (error: unknown) => {
        if (!(error instanceof SessionError && error.code === "closed")) {
          this.#gateway.logger.warn({ error }, "committing progress failed; trying again");
          for (const [i, client] of clients.entries()) this.#again(client, batch[i] as Progress);
        }
        this.#done();
      },
    );
  }

  /** What was not committed counts as changed; the release of one that has ended says all. */
  #again(client: Client, { drained }: Progress): void {
    if (client.ended) return;
    for (const reader of client.outbox.readers) reader?.unflush();
    client.drainedFilters.unshift(...drained);
    client.outbox.retained.told(false);
    this.#dirty.add(client);
  }

  #done(): void {
    this.#flushing = false;
    if (this.#dirty.size > 0 && !this.#stopped) this.#arm();
  }
}

/** What has changed since the last time. */
function takeProgress(client: Client): Progress {
  return progressOf(client, false);
}

/** Where everything stands, whatever of that has been told before. */
export function allProgress(client: Client): Progress {
  return progressOf(client, true);
}

function progressOf(client: Client, all: boolean): Progress {
  const cursors: number[] = [];
  const done: DoneRanges[] = [];
  for (const reader of client.outbox.readers) {
    if (reader === undefined || !(all || reader.changed)) continue;
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
    ...client.outbox.retained.progress(all),
  };
}
