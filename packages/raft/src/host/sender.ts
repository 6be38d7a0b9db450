/** Sends snapshots to followers that are behind the log: one at a time to a node, in parts. */
import type { Timer } from "@canopy/base";
import type { ReplicaId, SnapshotRequest } from "../core/types.ts";
import type { GroupId, SnapshotReader } from "../storage/port.ts";
import type { NodeName, SnapshotIntake, SnapshotOffer } from "../transport/port.ts";
import { within } from "./deadline.ts";
import { FINISH_MS, PART_BYTES, PART_MS, RESEND_MAX_MS, RESEND_MS } from "./limits.ts";
import type { HostOptions } from "./port.ts";
import { Slots } from "./slots.ts";

/** The group that sends. */
export interface SnapshotSending {
  readonly id: GroupId;
  /** It still leads in this term. */
  leads(term: number): boolean;
  /** It runs, and this is one of its members. */
  hasMember(replica: ReplicaId): boolean;
  readSnapshot(index: number): Promise<SnapshotReader>;
  snapshotSent(to: ReplicaId, ok: boolean): void;
}

interface Sending {
  /** Who asked last. */
  latest: SnapshotSending;
  readonly done: Promise<void>;
}

export class Sender {
  readonly #options: HostOptions;
  readonly #nodes = new Map<NodeName, Slots>();
  /** By group and replica: what is under way. */
  readonly #running = new Map<string, Sending>();
  /** How often it failed in a row; of members only. */
  readonly #failures = new Map<GroupId, Map<ReplicaId, number>>();
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** The group is told how it went; after a failure not before it makes sense to try again. */
  send(group: SnapshotSending, to: NodeName, request: SnapshotRequest): void {
    const key = `${group.id}/${request.to}`;
    const before = this.#running.get(key);
    if (before !== undefined) {
      before.latest = group;
      return;
    }
    let slots = this.#nodes.get(to);
    if (slots === undefined) {
      slots = new Slots(1);
      this.#nodes.set(to, slots);
    }
    const done = slots
      .run(() => this.#transfer(group, to, request))
      .then(
        () => this.#succeeded(key, group, request.to),
        (error: unknown) => this.#failed(key, group, request.to, error),
      );
    this.#running.set(key, { latest: group, done });
  }

  /** Its members have changed, or it has ended. */
  membersChanged(group: SnapshotSending): void {
    const failures = this.#failures.get(group.id);
    if (failures === undefined) return;
    for (const to of failures.keys()) if (!group.hasMember(to)) failures.delete(to);
    if (failures.size === 0) this.#failures.delete(group.id);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  async #transfer(group: SnapshotSending, to: NodeName, request: SnapshotRequest): Promise<void> {
    this.#check(group, request);
    const reader = await group.readSnapshot(request.snapshot.index);
    try {
      const { from, term } = request;
      const { meta, size } = reader;
      const offer = { group: group.id, from, to: request.to, term, meta, size };
      const intake = await this.#open(to, offer);
      try {
        await this.#parts(group, request, reader, intake);
      } finally {
        // It may hang as anything else that goes over the network, and nothing depends on it.
        intake.close().catch(() => {});
      }
    } finally {
      await reader.close();
    }
  }

  #open(to: NodeName, offer: SnapshotOffer): Promise<SnapshotIntake> {
    const { storage, timers, transport } = this.#options;
    return within(timers, PART_MS, transport.openSnapshot(to, storage.disk, offer));
  }

  async #parts(
    group: SnapshotSending,
    request: SnapshotRequest,
    reader: SnapshotReader,
    intake: SnapshotIntake,
  ): Promise<void> {
    const { timers } = this.#options;
    for (let position = intake.received; position < reader.size; ) {
      const part = await reader.part(position, Math.min(PART_BYTES, reader.size - position));
      this.#check(group, request);
      if (part.length === 0) throw new Error("the snapshot's file is shorter than it was");
      await within(timers, PART_MS, intake.part(position, part));
      position += part.length;
    }
    await within(timers, FINISH_MS, intake.finish());
  }

  #check(group: SnapshotSending, request: SnapshotRequest): void {
    if (this.#stopped || !group.leads(request.term)) throw new Error("not wanted any more");
  }

  #succeeded(key: string, group: SnapshotSending, to: ReplicaId): void {
    this.#failures.get(group.id)?.delete(to);
    this.#tell(key, group, to, true);
  }

  /**
   * A replica of this node that came after `group`, and asked meanwhile, waits for a word too: nothing
   * was sent in its name.
   */
  #tell(key: string, group: SnapshotSending, to: ReplicaId, ok: boolean): void {
    const latest = this.#running.get(key)?.latest;
    this.#running.delete(key);
    group.snapshotSent(to, ok);
    if (latest !== undefined && latest !== group) latest.snapshotSent(to, false);
  }

  #failed(key: string, group: SnapshotSending, to: ReplicaId, error: unknown): void {
    if (this.#stopped) {
      this.#running.delete(key);
      return;
    }
    const failures = this.#failures.get(group.id)?.get(to) ?? 0;
    if (group.hasMember(to)) this.#count(group.id, to, failures + 1);
    const wait = Math.min(RESEND_MS * 2 ** failures, RESEND_MAX_MS);
    const reason = error instanceof Error ? error.message : String(error);
    const { logger, timers } = this.#options;
    logger.info({ group: group.id, replica: to, error: reason, wait }, "snapshot not sent");
    const timer = timers.set(wait, () => {
      this.#timers.delete(timer);
      this.#tell(key, group, to, false);
    });
    this.#timers.add(timer);
  }

  #count(group: GroupId, to: ReplicaId, failures: number): void {
    const ofGroup = this.#failures.get(group) ?? new Map<ReplicaId, number>();
    this.#failures.set(group, ofGroup.set(to, failures));
  }
}
