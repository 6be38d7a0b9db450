import fc from "fast-check";
import { expect, test } from "vitest";
import { Schedule, type ScheduleOptions } from "./schedule.ts";

const USUAL: ScheduleOptions = {
  steps: 250,
  subscribers: 3,
  publishers: 2,
  changing: false,
  restarts: false,
};

/** A failure names its seed: give it to Schedule.run to see it again. */
function expectSchedules(options: Partial<ScheduleOptions>, runs: number): Promise<void> {
  const seeds = fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 1 }));
  return fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      expect(await Schedule.run(seed, { ...USUAL, ...options }), `seed ${seed}`).toEqual([]);
    }),
    { numRuns: runs, endOnFailure: true },
  );
}

test("[MQTT-4.3.2-1] [MQTT-4.3.3-2] [MQTT-4.6.0-6] whatever clients do, nothing acknowledged is missing, doubled at QoS 2 or out of order", async () => {
  await expectSchedules({}, 25);
}, 60_000);

test("[MQTT-3.8.4-3] [MQTT-3.10.4-2] the same while subscriptions come, change and go", async () => {
  await expectSchedules({ changing: true }, 25);
}, 60_000);

test("[MQTT-4.1.0-1] the same while the broker stops and starts", async () => {
  await expectSchedules({ changing: true, restarts: true }, 15);
}, 60_000);
