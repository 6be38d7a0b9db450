import type { Counters } from "./counters.ts";

const WINDOWS = [
  ["1min", 60_000],
  ["5min", 300_000],
  ["15min", 900_000],
] as const;

const MEASURES = [
  ["messages/received", "packetsReceived"],
  ["messages/sent", "packetsSent"],
  ["publish/received", "publishReceived"],
  ["publish/sent", "publishSent"],
  ["publish/dropped", "dropped"],
  ["bytes/received", "bytesReceived"],
  ["bytes/sent", "bytesSent"],
  ["sockets", "connectionsTotal"],
  ["connections", "connectionsTotal"],
] as const;

/** Exponential moving averages of what happens per minute, over 1, 5 and 15 minutes. */
export class LoadAverages {
  #at: number;
  readonly #before = new Map<keyof Counters, number>();
  readonly #averages = new Map<string, number>();

  constructor(now: number) {
    this.#at = now;
  }

  update(now: number, counters: Counters): Map<string, string> {
    const passed = Math.max(1, now - this.#at);
    this.#at = now;
    const shown = new Map<string, string>();
    const perMinute = new Map<keyof Counters, number>();
    for (const [, field] of MEASURES) {
      if (perMinute.has(field)) continue;
      const grown = counters[field] - (this.#before.get(field) ?? 0);
      this.#before.set(field, counters[field]);
      perMinute.set(field, (grown * 60_000) / passed);
    }
    for (const [name, field] of MEASURES) {
      for (const [window, length] of WINDOWS) {
        const key = `load/${name}/${window}`;
        const kept = Math.exp(-passed / length);
        const before = this.#averages.get(key) ?? 0;
        const value = before * kept + (perMinute.get(field) ?? 0) * (1 - kept);
        this.#averages.set(key, value);
        shown.set(key, value.toFixed(2));
      }
    }
    return shown;
  }
}
