import type { Logger, Timer, Timers } from "@canopy/base";
import type { RaftGroup } from "@canopy/raft";
import { successor } from "../control/resignation.ts";

/** How long a planned end waits for it, ms: else the others find out, in a second or so. */
const PATIENCE = 1_000;

/** Before a planned end: what is led here is led by other nodes at once, where there are any. */
export async function handOver(
  groups: Iterable<RaftGroup | undefined>,
  timers: Timers,
  logger: Logger,
): Promise<void> {
  const transfers: Promise<void>[] = [];
  for (const group of groups) {
    if (group?.status.role !== "leader") continue;
    const to = successor(group);
    if (to === undefined) continue;
    const done = group.transferLeadership(to).then(({ type }) => {
      if (type === "done") logger.info({ group: group.id, to }, "leadership is handed over");
    });
    transfers.push(done);
  }
  if (transfers.length === 0) return;
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = timers.set(PATIENCE, resolve);
  });
  await Promise.race([Promise.allSettled(transfers), late]);
  timer?.cancel();
}
