/** Brings the state machine to what a snapshot says, with turns for others between. */
import type { LogIndex } from "../core/types.ts";
import type { GroupId } from "../storage/port.ts";
import type { ReplicatedMachine } from "./machine.ts";
import { Slices } from "./slices.ts";
import type { Surroundings } from "./surroundings.ts";

/** Throws where the file is damaged or the state machine can't read it. */
export async function restoreSnapshot(
  around: Pick<Surroundings, "options" | "breathe">,
  group: GroupId,
  index: LogIndex,
  machine: ReplicatedMachine,
): Promise<void> {
  const { clock, storage } = around.options;
  const reader = await storage.snapshots.read(group, index);
  try {
    const slices = new Slices(clock, () => around.breathe());
    const sink = machine.restore();
    for await (const chunk of reader.chunks()) {
      sink.push(chunk);
      await slices.did(chunk.length);
    }
    sink.finish();
  } finally {
    await reader.close();
  }
}
