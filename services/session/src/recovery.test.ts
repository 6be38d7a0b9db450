import { EXPIRY_NEVER } from "@canopy/session";
import { expect, test } from "vitest";
import { Harness, openRequest, progressOf, subscribeTo } from "../test/harness.ts";

const SESSIONS = 50_000;
const WIDTH = 5_000;

test("a log of 200,000 commands is recovered within seconds", async () => {
  const h = await Harness.start({ snapshotEvery: 2 ** 40 });
  const gateway = await h.attach();
  for (let from = 0; from < SESSIONS; from += WIDTH) {
    await Promise.all(
      Array.from({ length: WIDTH }, async (_, i) => {
        const clientId = `client-${from + i}`;
        const opened = await h.sessions.open(
          openRequest(gateway, { clientId, expiry: EXPIRY_NEVER }),
        );
        const subscribed = h.sessions.subscribe(subscribeTo(opened, `own/${from + i}`));
        for (const offset of [1, 2]) {
          await h.sessions.progress([progressOf(opened, { cursors: [0, offset] })]);
        }
        await subscribed;
      }),
    );
  }
  await h.service.stop();
  const start = performance.now();
  await h.restart();
  const ms = Math.round(performance.now() - start);
  console.log(`${SESSIONS * 4} session commands recovered in ${ms} ms`);
  expect(h.service.counts).toMatchObject({ sessions: SESSIONS, subscriptions: SESSIONS });
  expect(ms).toBeLessThan(10_000);
}, 60_000);
