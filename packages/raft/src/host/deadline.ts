/** Work that may never answer, as what goes over a network. */
import type { Timers } from "@canopy/base";

/** Rejects after `ms`; what the work does then is not waited for. */
export async function within<T>(timers: Timers, ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = timers.set(ms, () => reject(new Error(`no answer for ${ms} ms`)));
  try {
    return await Promise.race([work, promise]);
  } finally {
    timer.cancel();
  }
}
