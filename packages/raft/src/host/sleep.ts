/**
 * When a group has nothing to do, its heartbeats end: its leader asks the followers to sleep, and
 * sleeps when all of them do. From then on the word that a node lives stands for all groups that
 * sleep there. Safety does not depend on it: who sleeps too long only notices late that a leader is gone.
 */
import type { RaftCore } from "../core/port.ts";
import type { ReplicaId } from "../core/types.ts";
import type { Beat } from "../transport/port.ts";

export class Sleep {
  readonly #idleTicks: number;
  #quiet = 0;
  #asleep = false;
  /** Of a leader that wants to sleep: who does already. */
  readonly #sleepers = new Set<ReplicaId>();

  /** Ticks without anything after which a leader wants to sleep. */
  constructor(idleTicks: number) {
    this.#idleTicks = idleTicks;
  }

  get asleep(): boolean {
    return this.#asleep;
  }

  /** Heartbeats say so, and so do the answers to them. */
  get drowsy(): boolean {
    return this.#asleep || this.#quiet >= this.#idleTicks;
  }

  /** Something happened. True if it woke the group. */
  stir(): boolean {
    const woke = this.#asleep;
    this.#asleep = false;
    this.#quiet = 0;
    // Called for each proposal, and clearing makes a new table.
    if (this.#sleepers.size > 0) this.#sleepers.clear();
    return woke;
  }

  /** Each tick of a group that is awake. True if it sleeps now: a group of one asks nobody. */
  tick(core: RaftCore, nothingWaits: boolean): boolean {
    if (core.role !== "leader" || !nothingWaits || !isSettled(core)) {
      this.stir();
      return false;
    }
    this.#quiet++;
    return this.#trySleep(core);
  }

  /** The leader's: `from` sleeps. True if the group does now. */
  answered(core: RaftCore, from: ReplicaId, nothingWaits: boolean): boolean {
    if (!this.drowsy || this.#asleep || core.role !== "leader") return false;
    this.#sleepers.add(from);
    return nothingWaits && isSettled(core) && this.#trySleep(core);
  }

  /** The follower's, after the heartbeat was stepped. True if it sleeps. */
  asked(core: RaftCore, beat: Beat, nothingWaits: boolean): boolean {
    const { commit, applied, lastIndex } = core;
    this.#asleep =
      nothingWaits &&
      core.role === "follower" &&
      core.leader === beat.from &&
      core.term === beat.term &&
      lastIndex === beat.commit &&
      commit === beat.commit &&
      applied === beat.commit;
    return this.#asleep;
  }

  #trySleep(core: RaftCore): boolean {
    if (this.#quiet < this.#idleTicks) return false;
    for (const [id, progress] of core.progress()) {
      // Without an answer since the last look at the quorum, waking would end the leadership.
      if (!this.#sleepers.has(id) || !progress.recentlyActive) return false;
    }
    this.#asleep = true;
    return true;
  }
}

/** Everything is everywhere, and no change of members is under way. */
function isSettled(core: RaftCore): boolean {
  const { commit, applied, lastIndex } = core;
  if (commit !== lastIndex || applied !== lastIndex || core.termAt(lastIndex) !== core.term) {
    return false;
  }
  if (core.configuration.outgoing.length > 0) return false;
  for (const progress of core.progress().values()) {
    if (progress.match !== lastIndex || progress.state === "snapshot") return false;
  }
  return true;
}
