import { fileURLToPath } from "node:url";
import { linesUntilKilled, tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, openRequest } from "../test/harness.ts";

const CHILD = fileURLToPath(new URL("../test/kill-child.ts", import.meta.url));

test("after kill -9 every acknowledged session is there, once, in the order in which they came", async () => {
  const directory = await tempDir();
  let highest = 0;
  for (let round = 0; round < 8; round++) {
    const acknowledged = await linesUntilKilled(CHILD, [directory], 1 + round * round * 100);
    // None was there before: what a crash cut off did not come back, and what was there was counted.
    expect(acknowledged.filter((line) => !line.endsWith(" false"))).toEqual([]);
    highest = Math.max(highest, ...acknowledged.map((line) => Number.parseInt(line, 10)));
  }
  const h = await Harness.start({ directory });
  const { sessions } = h.service.counts;
  expect(sessions).toBeGreaterThanOrEqual(highest);
  const gateway = await h.attach();
  const opened = await Promise.all(
    Array.from({ length: sessions }, (_, i) =>
      h.sessions.open(openRequest(gateway, { clientId: `client-${i + 1}` })),
    ),
  );
  expect(opened.map(({ incarnation }) => incarnation)).toEqual(opened.map((_, i) => i + 1));
}, 60_000);
