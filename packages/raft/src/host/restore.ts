/** Brings the state machine to what a snapshot says, with turns for others between. */
import type { LogIndex } from "../core/types.ts";
import type { GroupId } from "../storage/port.ts";
import type { ReplicatedMachine } from "./machine.ts";
import { Slices } from "./slices.ts";
import type { Surroundings } from "./surroundings.ts";

/** Who waits for the disk, and how long: without it, as long as it takes. */
interface Waiting {
  disk<T>(work: Promise<T>): Promise<T>;
}

const always: Waiting = { disk: (work) => work };

/** Throws where the file is damaged or the state machine can't read it. */
export async function restoreSnapshot(
  around: Pick<Surroundings, "options" | "breathe">,
  group: GroupId,
  index: LogIndex,
  machine: ReplicatedMachine,
  waiting: Waiting = always,
): Promise<void> {
  const { clock, storage } = around.options;
  const reading = storage.snapshots.read(group, index);
  const reader = await waiting.disk(reading).catch((error: unknown) => {
    // It may be open one day, and nobody waits for it any more.
    reading.then((late) => late.close()).catch(() => {});
    throw error;
  });
  try {
    const slices = new Slices(clock, () => around.breathe());
    const sink = machine.restore();
    const chunks = reader.chunks();
    for (let next = await waiting.disk(chunks.next()); next.done !== true; ) {
      sink.push(next.value);
      await slices.did(next.value.length);
      next = await waiting.disk(chunks.next());
    }
    sink.finish();
  } finally {
    await waiting.disk(reader.close());
  }
}
