// Opens sessions one after the other until it is killed, and prints the number of each that is open:
//   node kill-child.ts DIRECTORY
import { silentLogger, systemClock, systemTimers } from "@canopy/base";
import { createSessionService } from "../src/index.ts";
import { attach, FakeStores, openRequest, SHARDS } from "./harness.ts";
import { RaftNode } from "./raft-node.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("no directory");
const raftTime = { ...systemClock, ...systemTimers };
const node = new RaftNode({ directory, raftTime, durability: "sync", snapshotEvery: 20_000 });
await node.start();
const service = createSessionService({
  host: node.host,
  group: 0,
  bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
  shards: SHARDS,
  clock: systemClock,
  timers: systemTimers,
  logger: silentLogger,
  routeSink: new FakeStores(),
});
await service.start();
const gateway = await attach(service.sessions);
let next = service.counts.sessions + 1;
for (;;) {
  // several at once: they share a write, and are acknowledged together
  const numbers = Array.from({ length: 1 + (next % 50) }, () => next++);
  const opened = numbers.map(async (number) => {
    const { sessionPresent } = await service.sessions.open(
      openRequest(gateway, { clientId: `client-${number}` }),
    );
    process.stdout.write(`${number} ${sessionPresent}\n`);
  });
  await Promise.all(opened);
}
