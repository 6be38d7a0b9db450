/** A group from what the disk has of it, or from its first configuration. */
import { Core } from "../core/core.ts";
import type { CoreOptions, RecoveredLog } from "../core/port.ts";
import {
  type Configuration,
  type Member,
  NONE,
  type ReplicaId,
  type SnapshotMeta,
} from "../core/types.ts";
import type { RecoveredGroup } from "../storage/port.ts";
import { Group } from "./group.ts";
import {
  MAX_APPEND_BYTES,
  MAX_APPLYING_BYTES,
  MAX_INFLIGHT_APPENDS,
  MAX_INFLIGHT_BYTES,
  UNCOMMITTED_PER_PROPOSALS,
} from "./limits.ts";
import { ReplicatedMachine } from "./machine.ts";
import type { Opening } from "./opening.ts";
import { Peers } from "./peers.ts";
import type { GroupOptions, HostOptions } from "./port.ts";
import { restoreSnapshot } from "./restore.ts";
import type { Surroundings } from "./surroundings.ts";

type Members = ReadonlyMap<ReplicaId, Member>;
export type Bootstrap = NonNullable<GroupOptions["bootstrap"]>;

/** `found` settles with the first voters and their disks, where there are several. */
export async function openGroup(
  around: Surroundings,
  options: GroupOptions,
  opening: Opening,
  found: (bootstrap: Bootstrap) => Promise<Members>,
): Promise<Group> {
  const { storage, logger } = around.options;
  const recovered =
    storage.groups.get(options.group) ?? (await create(around, options, opening, found));
  const { replica, log } = recovered;
  const machine = new ReplicatedMachine(options.machine);
  const newest = storage.snapshots.newest(options.group);
  const { index } = log.snapshot;
  // A group that never took one begins with nothing.
  if (newest !== undefined && index > 0) {
    await restoreSnapshot(around, options.group, index, machine, opening);
  }
  const core = new Core(coreOptions(replica, around.options), withTerm(log));
  const peers = new Peers(options.group, core, storage.disk, logger);
  return new Group(around, options, { core, machine, peers });
}

async function create(
  around: Surroundings,
  options: GroupOptions,
  opening: Opening,
  found: (bootstrap: Bootstrap) => Promise<Members>,
): Promise<RecoveredGroup> {
  const { storage } = around.options;
  const { group, bootstrap } = options;
  if (bootstrap === undefined) throw new Error(`group ${group} is not on this disk`);
  const { replica, voters } = bootstrap;
  if (replica <= (storage.givenUp.get(group) ?? NONE)) {
    throw new Error(`replica ${replica} of group ${group} was removed here: add it under a new id`);
  }
  if (voters.size > 0 && voters.get(replica) !== around.options.node) {
    throw new Error(`replica ${replica} on ${around.options.node} is not among the first voters`);
  }
  const members: Members =
    voters.size > 1
      ? await found(bootstrap)
      : new Map(Array.from(voters, ([id, name]) => [id, { name, disk: storage.disk }]));
  const snapshot = firstSnapshot(members);
  opening.check();
  await opening.disk(storage.create(group, replica, snapshot));
  const created = storage.groups.get(group);
  if (created !== undefined) return created;
  const hardState = { term: snapshot.term, vote: NONE, commit: snapshot.index };
  const log = { hardState, snapshot, entries: [], prevTerm: snapshot.term };
  return { group, replica, log };
}

/**
 * The first voters stand at index 1 of term 1, as if an entry with their configuration were applied
 * and compacted. So a replica that is added later, at index 0, gets the configuration with a
 * snapshot, and never only the changes to it.
 */
function firstSnapshot(nodes: Members): SnapshotMeta {
  const voters = [...nodes.keys()].sort((a, b) => a - b);
  const place = voters.length === 0 ? 0 : 1;
  const configuration: Configuration = {
    voters,
    outgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    highest: voters.at(-1) ?? NONE,
    nodes: new Map([...nodes].sort(([a], [b]) => a - b)),
  };
  return { index: place, term: place, configuration };
}

/** The term is never behind the log's, also where the group was only created. */
function withTerm(log: RecoveredLog): RecoveredLog {
  const { hardState, snapshot } = log;
  const commit = Math.max(hardState.commit, snapshot.index);
  if (hardState.term >= snapshot.term) return { ...log, hardState: { ...hardState, commit } };
  return { ...log, hardState: { term: snapshot.term, vote: NONE, commit } };
}

function coreOptions(id: ReplicaId, options: HostOptions): CoreOptions {
  const { electionTicks, heartbeatTicks, random } = options;
  return {
    id,
    electionTicks,
    heartbeatTicks,
    random,
    maxAppendBytes: MAX_APPEND_BYTES,
    maxInflightAppends: MAX_INFLIGHT_APPENDS,
    maxInflightBytes: MAX_INFLIGHT_BYTES,
    maxUncommittedBytes: options.maxProposalBytes * UNCOMMITTED_PER_PROPOSALS,
    maxApplyingBytes: MAX_APPLYING_BYTES,
    ...options.limits,
  };
}
