/** What other nodes say to one replica, and whether it is for it, and from whom it says. */
import type { RaftCore } from "../core/port.ts";
import type { Message, ReplicaId } from "../core/types.ts";
import type { DiskId, GroupId } from "../storage/port.ts";
import type { Beat, NodeName, SnapshotIntake, SnapshotOffer } from "../transport/port.ts";
import { removedBeat } from "./beats.ts";
import type { Farewell } from "./farewell.ts";
import { type Intakes, nothingToTake } from "./intake.ts";
import { wasRemoved } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type { Rest } from "./rest.ts";
import type { Surroundings } from "./surroundings.ts";

export interface ReceptionParts {
  readonly group: GroupId;
  readonly core: RaftCore;
  readonly peers: Peers;
  readonly rest: Rest;
  readonly farewell: Farewell;
  readonly intakes: Intakes;
  readonly running: () => boolean;
  readonly touch: () => void;
  readonly step: (message: Message) => void;
  /** A snapshot is here, whole. */
  readonly received: (offer: SnapshotOffer) => void;
  readonly wasRemoved: () => void;
  readonly fail: (error: Error) => void;
}

const LOST_ENTRIES: string =
  "the leader knows entries of this replica that are not on its disk any more: " +
  "remove it and add it under a new id";

export class Reception {
  readonly #parts: ReceptionParts;
  readonly #around: Surroundings;

  constructor(parts: ReceptionParts, around: Surroundings) {
    this.#parts = parts;
    this.#around = around;
  }

  message(from: NodeName, disk: DiskId, message: Message): void {
    if (!this.#admits(from, disk, message)) return;
    const { group, core, rest, step, touch } = this.#parts;
    const asksForVote = message.type === "vote" || message.type === "preVote";
    if (asksForVote && wasRemoved(core.configuration, message.from)) {
      if (!core.isConfigurationDurable) return;
      this.#around.outbox.beat(from, removedBeat(group, core, message.from));
      touch();
      return;
    }
    rest.stir(message.from);
    step(message);
  }

  beat(from: NodeName, disk: DiskId, beat: Beat): void {
    if (!this.#admits(from, disk, beat)) return;
    const { core, rest, step, fail } = this.#parts;
    const { from: sender, to, term, commit, context } = beat;
    if (beat.kind === 3) return this.#removed(sender);
    const isAnswer = beat.kind === 1 || beat.kind === 4;
    if (beat.kind < 2) rest.wake(sender);
    if (isAnswer) step({ type: "heartbeatAnswer", from: sender, to, term, context });
    else if (commit > core.lastIndex) fail(new Error(LOST_ENTRIES));
    else step({ type: "heartbeat", from: sender, to, term, commit, context });
    if (beat.kind === 2) rest.asked(beat);
    if (beat.kind === 4) rest.answered(sender);
  }

  snapshot(from: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake> {
    if (!this.#admits(from, disk, offer)) return Promise.reject(new Error("not for this replica"));
    const { core, rest, intakes, received } = this.#parts;
    if (offer.term < core.term) return Promise.reject(new Error("of an earlier term"));
    rest.stir(offer.from);
    // It has all of that: the core answers so.
    if (offer.meta.index <= core.commit) {
      return Promise.resolve(nothingToTake(offer, () => received(offer)));
    }
    return intakes.open(offer);
  }

  /** A first voter that has not begun yet is told that the others have. */
  founding(from: NodeName, disk: DiskId, replica: ReplicaId): void {
    const { group, core, peers, running, touch } = this.#parts;
    const { nodes: members } = core.configuration;
    if (!running() || members.size === 0) return;
    peers.admit(replica, from, disk);
    this.#around.outbox.hello(from, { type: "founded", group, members });
    touch();
  }

  /** `sender` has seen that this replica is no member any more. */
  #removed(sender: ReplicaId): void {
    const { core, farewell, rest, wasRemoved: removed } = this.#parts;
    const { ticks } = this.#around;
    farewell.told(sender, ticks);
    rest.stir();
    if (farewell.isOver(core, ticks)) removed();
  }

  #admits(from: NodeName, disk: DiskId, message: { from: ReplicaId; to: ReplicaId }): boolean {
    const { core, peers, running } = this.#parts;
    const { from: sender, to } = message;
    return running() && to === core.id && sender !== core.id && peers.admit(sender, from, disk);
  }
}
