import type { Logger, Timer, Timers } from "@canopy/base";

/** ms. */
const FIRST_WORD = 1_000;
const NEXT_WORD = 10_000;

/** Says what is waited for, soon and then from time to time, until it has come. */
export async function sayWaiting<T>(
  awaited: Promise<T>,
  what: () => string,
  { timers, logger }: { readonly timers: Timers; readonly logger: Logger },
): Promise<T> {
  let timer: Timer | undefined;
  const say = (): void => {
    logger.info({}, `waiting for ${what()}`);
    timer = timers.set(NEXT_WORD, say);
  };
  timer = timers.set(FIRST_WORD, say);
  try {
    return await awaited;
  } finally {
    timer.cancel();
  }
}
