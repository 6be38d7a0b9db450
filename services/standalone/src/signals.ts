import { type Lifecycle, type Logger, systemTimers } from "@canopy/base";

/** A signal to a whole process group reaches the broker more than once, within milliseconds. */
const SAME_SIGNAL = 300;

/**
 * SIGTERM and SIGINT stop the broker in order, within the timeout (ms); a second one ends it at
 * once. Settles when it has stopped.
 */
export async function endOnSignals(
  broker: Lifecycle,
  logger: Logger,
  timeout: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    let first = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      const now = performance.now();
      if (first !== 0) {
        if (now - first < SAME_SIGNAL) return;
        logger.warn({ signal }, "stopping at once");
        process.exit(1);
      }
      first = now;
      logger.info({ signal }, "stopping");
      const limit = systemTimers.set(timeout, () => {
        logger.error({ timeout }, "stopping took too long");
        process.exit(1);
      });
      broker.stop().then(
        () => {
          limit.cancel();
          logger.info({}, "stopped");
          process.exitCode = 0;
          resolve();
        },
        (error: unknown) => {
          logger.error({ error }, "stopping failed");
          process.exit(1);
        },
      );
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
  // sockets of clients that don't close are not waited for
  setImmediate(() => process.exit());
}
