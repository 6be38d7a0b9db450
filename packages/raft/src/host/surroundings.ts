/** What a group needs of its host. */
import type { DiskId, GroupWrite } from "../storage/port.ts";
import type { NodeName } from "../transport/port.ts";
import type { Group } from "./group.ts";
import type { Outbox } from "./outbox.ts";
import type { HostOptions } from "./port.ts";
import type { Sender } from "./sender.ts";
import type { Slots } from "./slots.ts";

export interface Surroundings {
  readonly options: HostOptions;
  /** Counted since the start. */
  readonly ticks: number;
  readonly outbox: Outbox;
  readonly sender: Sender;
  /** Who may take a snapshot now. */
  readonly snapshotSlots: Slots;
  /** The group has something to do in this turn. */
  touch(group: Group): void;
  /** It sleeps, and counts on these nodes. */
  fellAsleep(group: Group, nodes: readonly NodeName[]): void;
  woke(group: Group): void;
  /** It does not run any more; the other members are on these nodes. */
  ended(group: Group, others: readonly NodeName[]): void;
  /** It was removed from its group; its place here is given up. */
  removed(group: Group): void;
  /** Why nothing should be written now. */
  readonly diskFailure: Error | undefined;
  /** As that of the storage. */
  write(write: GroupWrite, done: () => void): void;
  /** Asked from the node; undefined if it can't be reached. */
  diskOf(node: NodeName): Promise<DiskId | undefined>;
  /** Lets everything else have its turn. */
  breathe(): Promise<void>;
}
