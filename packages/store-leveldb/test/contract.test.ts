import { storeContract } from "@canopy/store/contract";
import { levelHarness } from "./harness.ts";

storeContract("LevelDB", () => levelHarness({}));

// Every few appends fill a segment, so everything is also seen through sealed and rewritten ones.
storeContract(
  "LevelDB with small segments",
  () => levelHarness({ durability: "os", segmentBytes: 3000, cacheBytes: 5000, rewriteDelay: 0 }),
  { queues: 20_000, runs: 100 },
);
