import { type Lifecycle, type Logger, systemTimers } from "@canopy/base";

/** A signal to a whole process group reaches the broker more than once, within milliseconds. */
const SAME_SIGNAL = 300;
const FAILED = 1;

export interface End {
  readonly isUnderWay: boolean;
  /** Settles when it has stopped. */
  readonly done: Promise<void>;
}

/**
 * SIGTERM and SIGINT stop the broker in order, within the timeout (ms), also while it starts; a second
 * one ends it at once. It stops as well, with exit code 1, when `failed` settles.
 */
export function endOnSignals(
  broker: Lifecycle,
  logger: Logger,
  timeout: number,
  failed: Promise<string>,
): End {
  let first: number | undefined;
  const stopped = new Promise<void>((resolve) => {
    const stop = (exitCode: number): void => {
      first = performance.now();
      void stopInTime(broker, logger, timeout).then(() => {
        process.exitCode = exitCode;
        resolve();
      });
    };
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first === undefined) {
        logger.info({ signal }, "stopping");
        stop(0);
      } else if (performance.now() - first >= SAME_SIGNAL) {
        logger.warn({ signal }, "stopping at once");
        process.exit(FAILED);
      }
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    void failed.then((reason) => {
      if (first !== undefined) return;
      logger.error({ error: reason }, "the broker can't go on: stopping");
      stop(FAILED);
    });
  });
  return {
    get isUnderWay() {
      return first !== undefined;
    },
    // sockets of clients that don't close are not waited for
    done: stopped.then(() => void setImmediate(() => process.exit())),
  };
}

/** Ends the process if it takes too long or fails. */
async function stopInTime(broker: Lifecycle, logger: Logger, timeout: number): Promise<void> {
  const limit = systemTimers.set(timeout, () => {
    logger.error({ timeout }, "stopping took too long");
    process.exit(FAILED);
  });
  try {
    await broker.stop();
    limit.cancel();
    logger.info({}, "stopped");
  } catch (error) {
    logger.error({ error }, "stopping failed");
    process.exit(FAILED);
  }
}
