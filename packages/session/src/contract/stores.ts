import type { RouteBatch, RouteChange, RouteSink, WillPublication } from "../port.ts";

/** A store process that takes everything, unless told otherwise, and writes it down. */
export class FakeStores implements RouteSink {
  headsNow: readonly (number | undefined)[] = [10, 20, 30, 40];
  headsAsked = 0;
  readonly batches: RouteBatch[] = [];
  readonly changes: RouteChange[] = [];
  /** All routes, as they were told. */
  readonly routesNow: Set<string> = new Set();
  readonly wills: { incarnation: number; epoch: number; record: Uint8Array }[] = [];
  readonly ended: number[] = [];
  /** Each call first waits for what this gives. */
  gate: (call: keyof RouteSink) => Promise<void> = () => Promise.resolve();
  /** Whether this will can't be stored now. */
  refuse: (record: Uint8Array) => boolean = () => false;

  async heads(): Promise<readonly (number | undefined)[]> {
    this.headsAsked++;
    await this.gate("heads");
    return this.headsNow;
  }

  async routes(batch: RouteBatch): Promise<void> {
    await this.gate("routes");
    this.batches.push(batch);
    this.changes.push(...batch.changes);
    if (batch.whole) this.routesNow.clear();
    for (const { filter, add } of batch.changes) {
      if (add) this.routesNow.add(filter);
      else this.routesNow.delete(filter);
    }
  }

  async publishWill({ incarnation, epoch, record }: WillPublication): Promise<void> {
    await this.gate("publishWill");
    if (this.refuse(record)) throw new Error("no room for this one");
    this.wills.push({ incarnation, epoch, record });
  }

  async sessionsEnded(incarnations: readonly number[]): Promise<void> {
    await this.gate("sessionsEnded");
    this.ended.push(...incarnations);
  }
}
