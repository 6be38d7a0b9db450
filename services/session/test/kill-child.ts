// Opens sessions one after the other until it is killed, and prints the number of each that is open:
//   node kill-child.ts DIRECTORY
import { silentLogger, systemClock, systemTimers } from "@canopy/base";
import { Alone, createSessionService } from "../src/index.ts";
import { FakeStores, idlePeer, openRequest, SHARDS } from "./harness.ts";
import { RaftNode } from "./raft-node.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("no directory");
const raftTime = { ...systemClock, ...systemTimers };
const node = new RaftNode({ directory, raftTime, durability: "sync", snapshotEvery: 20_000 });
await node.start();
const alone = new Alone(SHARDS);
const stores = new FakeStores();
const service = createSessionService({
  host: node.host,
  group: 1,
  bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
  shards: SHARDS,
  clock: systemClock,
  timers: systemTimers,
  logger: silentLogger,
  cluster: alone.view,
  store: () => stores,
});
await service.start();
alone.begin(service.version);
const { gateway } = alone;
await service.sessions.attach(gateway, idlePeer);
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
