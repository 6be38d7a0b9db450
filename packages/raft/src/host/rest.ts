/** Puts a group to sleep and wakes it: what follows for its host and its leader. */
import type { RaftCore } from "../core/port.ts";
import type { ReplicaId } from "../core/types.ts";
import type { Beat } from "../transport/port.ts";
import { greetLeader } from "./beats.ts";
import type { Group } from "./group.ts";
import { IDLE_HEARTBEATS } from "./limits.ts";
import type { Peers } from "./peers.ts";
import { Sleep } from "./sleep.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RestParts {
  readonly group: Group;
  readonly core: RaftCore;
  readonly peers: Peers;
  /** Nobody waits for an answer, and nothing is under way. */
  readonly nothingWaits: () => boolean;
}

export class Rest {
  readonly #parts: RestParts;
  readonly #around: Surroundings;
  readonly #sleep: Sleep;

  constructor(parts: RestParts, around: Surroundings) {
    const { electionTicks, heartbeatTicks } = around.options;
    this.#parts = parts;
    this.#around = around;
    this.#sleep = new Sleep(Math.max(IDLE_HEARTBEATS * heartbeatTicks, electionTicks));
  }

  get asleep(): boolean {
    return this.#sleep.asleep;
  }

  get drowsy(): boolean {
    return this.#sleep.drowsy;
  }

  /** Something happened. `by`: the replica whose word does it. The leader, if it is another's, may sleep on. */
  stir(by?: ReplicaId): void {
    if (!this.#sleep.stir()) return;
    const { group, core } = this.#parts;
    this.#around.woke(group);
    if (by !== core.leader) greetLeader(this.#around.outbox, group.id, core);
    this.#around.touch(group);
  }

  wake(by?: ReplicaId): void {
    if (this.#sleep.asleep) this.stir(by);
  }

  /** Each tick of a group that is awake. */
  tick(): void {
    const { core, nothingWaits } = this.#parts;
    if (this.#sleep.tick(core, nothingWaits())) this.#fellAsleep();
  }

  /** The leader, whose heartbeat was stepped, asks this follower to. */
  asked(beat: Beat): void {
    const { group, core, nothingWaits } = this.#parts;
    const was = this.#sleep.asleep;
    const is = this.#sleep.asked(core, beat, nothingWaits());
    if (is && !was) this.#fellAsleep();
    if (was && !is) this.#around.woke(group);
  }

  /** A follower of this leader does. */
  answered(from: ReplicaId): void {
    const { core, nothingWaits } = this.#parts;
    if (this.#sleep.answered(core, from, nothingWaits())) this.#fellAsleep();
  }

  #fellAsleep(): void {
    const { group, core, peers } = this.#parts;
    const others = core.leader === core.id ? [...core.progress().keys()] : [core.leader];
    this.#around.fellAsleep(group, peers.nodesOf(others));
  }
}
