import { Deferred } from "@canopy/base";
import type { InterestChange } from "@canopy/store";
import type { Sub } from "../delivery/sub.ts";
import type { Gateway } from "../gateway.ts";

/** The gateway's interests: the changes of one turn go to the store processes as one request. */
export class Interests {
  readonly #gateway: Gateway;
  #changes: InterestChange[] = [];
  #waiting: Deferred<readonly number[]> | undefined = undefined;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /**
   * Settles when the store processes push what matches these subscriptions (and all that were added
   * before) and know what kind they are, with the heads of all shards at that moment.
   */
  add(subs: readonly Sub[]): Promise<readonly number[]> {
    for (const sub of subs) {
      const transient = !sub.client.durable && sub.qos > 0;
      if (sub.interested && sub.interestTransient === transient) continue;
      this.#changes.push({ filter: sub.plainFilter, add: true, transient });
      this.forget([sub]);
      sub.interested = true;
      sub.interestTransient = transient;
    }
    this.#waiting ??= new Deferred<readonly number[]>();
    this.#gateway.schedule();
    return this.#waiting.promise;
  }

  /** Only what was added is taken back, and once: the store processes count. */
  forget(subs: readonly Sub[]): void {
    for (const sub of subs) {
      if (!sub.interested) continue;
      sub.interested = false;
      this.#changes.push({
        filter: sub.plainFilter,
        add: false,
        transient: sub.interestTransient,
      });
      this.#gateway.schedule();
    }
  }

  /** At the end of a turn. */
  flush(): void {
    if (this.#changes.length === 0 && this.#waiting === undefined) return;
    const changes = this.#changes;
    const waiting = this.#waiting;
    this.#changes = [];
    this.#waiting = undefined;
    this.#gateway.shards.interests(this.#gateway.incarnation, changes).then(
      (heads) => waiting?.resolve(heads),
      (error: unknown) => {
        if (waiting === undefined) this.#gateway.logger.warn({ error }, "interests were not taken");
        else waiting.reject(error);
      },
    );
  }
}
