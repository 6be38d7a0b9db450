import { Histogram, type HistogramData } from "../histogram.ts";
import type { Publisher } from "./publisher.ts";
import type { Expected } from "./received.ts";
import { microseconds, type RunId } from "./stamp.ts";
import type { Subscriber } from "./subscriber.ts";

/** What has happened since the beginning; a rate is the difference of two. */
export interface Counters {
  sent: number;
  acked: number;
  /** Different messages that came, per subscriber or shared group. */
  delivered: number;
  /** Answered with an error. */
  refused: number;
  duplicates: number;
  outOfOrder: number;
  /** Not the bytes that were sent. */
  corrupted: number;
  /** To a client that should not get it. */
  misrouted: number;
  wrongQos: number;
}

export interface Mark {
  readonly counters: Counters;
  /** Seconds, of the monotonic clock. */
  readonly time: number;
  /** Seconds of CPU that this process has used. */
  readonly cpu: number;
}

export interface LoadResult {
  readonly counters: Counters;
  /** Messages that were sent and did not come, per subscriber or shared group. */
  readonly lost: number;
  /** Messages that were never acknowledged. */
  readonly unanswered: number;
  /** Of what was measured since the last result. */
  readonly latency: HistogramData;
  /** Seconds from the beginning of the drain until something moved for the last time. */
  readonly movedFor: number;
  /** Of connections that were lost. */
  readonly errors: readonly string[];
}

export function noCounters(): Counters {
  return {
    sent: 0,
    acked: 0,
    delivered: 0,
    refused: 0,
    duplicates: 0,
    outOfOrder: 0,
    corrupted: 0,
    misrouted: 0,
    wrongQos: 0,
  };
}

/** Seconds of CPU that this process has used. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const ERRORS_KEPT = 5;
const GIVE_UP_INTERVAL = 250;
const DRAIN_LOOKS = 5;

/** The publishers and subscribers of one measurement in this process. */
export class Load {
  readonly run: RunId;
  readonly publishers: Publisher[] = [];
  readonly subscribers: Subscriber[] = [];
  readonly expected: Expected[] = [];
  readonly counters: Counters = noCounters();
  /** When publishing ended, in milliseconds of performance.now(). */
  stopTime: number = Number.POSITIVE_INFINITY;
  #latency = new Histogram();
  readonly #errors: string[] = [];
  #lost = 0;
  /** Stamps in [begin, end) are measured; begin is -1 outside of the window. */
  #begin = -1;
  #end = -1;
  #giveUp: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Immediate | undefined;

  constructor(run: RunId) {
    this.run = run;
  }

  fail(error: string): void {
    this.#lost++;
    if (this.#errors.length < ERRORS_KEPT) this.#errors.push(error);
  }

  delivered(publisher: number, sent: number, now: number): void {
    this.counters.delivered++;
    if (this.#begin >= 0 && this.#isMeasured(sent)) this.#latency.add((now - sent) >>> 0);
    this.publishers[publisher]?.delivered();
  }

  /** Also after a drain: it goes on with the same connections. */
  start(openLoop: boolean): void {
    const now = performance.now();
    this.stopTime = Number.POSITIVE_INFINITY;
    this.publishers.forEach((publisher, i) => {
      publisher.start(now, i / this.publishers.length);
    });
    this.#giveUp = setInterval(() => {
      for (const publisher of this.publishers) publisher.giveUpLost();
    }, GIVE_UP_INTERVAL);
    if (openLoop) this.#tick();
  }

  mark(): Mark {
    return {
      counters: { ...this.counters },
      time: performance.now() / 1000,
      cpu: ownCpu(),
    };
  }

  beginWindow(): Mark {
    this.#begin = microseconds();
    this.#end = -1;
    return this.mark();
  }

  endWindow(): Mark {
    this.#end = microseconds();
    return this.mark();
  }

  get stopped(): boolean {
    return this.stopTime !== Number.POSITIVE_INFINITY;
  }

  /** Nothing new is sent; what an open loop should have sent by now is. */
  stop(): void {
    if (this.stopped) return;
    this.stopTime = performance.now();
    if (this.#ticker !== undefined) clearImmediate(this.#ticker);
    for (const publisher of this.publishers) publisher.client.markDirty();
  }

  /** Waits for what is on its way: until nothing has moved for `idle` ms, or `most` ms in all. */
  async drain(idle: number, most: number): Promise<LoadResult> {
    const started = performance.now();
    let moved = started;
    let before = "";
    for (;;) {
      const now = performance.now();
      const state = `${this.counters.delivered} ${this.counters.acked}`;
      if (state !== before) moved = now;
      before = state;
      if (this.complete) break;
      if (now - moved > idle || now - started > most) break;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOKS));
    }
    clearInterval(this.#giveUp);
    this.stop();
    return this.#result((moved - started) / 1000);
  }

  /** Everything has been sent, answered and delivered. */
  get complete(): boolean {
    return this.answered && this.counters.delivered >= this.#due();
  }

  get answered(): boolean {
    return this.publishers.every(({ done, unanswered }) => done && unanswered === 0);
  }

  /** Spins: a timer would add up to a millisecond to what is measured. */
  #tick(): void {
    this.#ticker = setImmediate(() => {
      const now = performance.now();
      for (const publisher of this.publishers) publisher.tick(now);
      if (!this.stopped) this.#tick();
    });
  }

  #isMeasured(sent: number): boolean {
    const since = (sent - this.#begin) >>> 0;
    // Half of the numbers are "before".
    if (since >= 2 ** 31) return false;
    return this.#end < 0 || since < (this.#end - this.#begin) >>> 0;
  }

  /** Deliveries that are due for what has been sent. */
  #due(): number {
    let due = 0;
    for (const expected of this.expected) {
      for (const [publisher] of expected.entries()) due += this.publishers[publisher]?.sent ?? 0;
    }
    return due;
  }

  #result(movedFor: number): LoadResult {
    let lost = 0;
    for (const expected of this.expected) {
      for (const [publisher, received] of expected.entries()) {
        lost += (this.publishers[publisher]?.sent ?? 0) - received.distinct;
      }
    }
    const unanswered = this.publishers.reduce((sum, { unanswered: n }) => sum + n, 0);
    const more = this.#lost - this.#errors.length;
    const latency = this.#latency.data();
    this.#latency = new Histogram();
    return {
      counters: { ...this.counters },
      lost,
      unanswered,
      latency,
      movedFor,
      errors: more > 0 ? [...this.#errors, `and ${more} more`] : this.#errors,
    };
  }
}
