import type { GroupMember } from "@canopy/control";
import type { GroupStatus } from "@canopy/raft";

/** ms: a leader forgets now and then who has answered, and hears it again with the next heartbeat. */
const SILENCE = 2_000;

/** What a leader sees of the others over several looks. */
export class Attention {
  readonly #heard = new Map<number, number>();
  #now = 0;
  /** Committed at the last look, and at the one before. */
  #commit = 0;
  #before = 0;

  look({ members, commit }: GroupStatus, now: number): void {
    this.#now = now;
    this.#before = this.#commit;
    this.#commit = commit;
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.#heard.keys()) if (!ids.has(id)) this.#heard.delete(id);
    for (const { id, active } of members) {
      if (active) this.#heard.set(id, now);
    }
  }

  isActive(replica: number): boolean {
    const heard = this.#heard.get(replica);
    return heard !== undefined && this.#now - heard < SILENCE;
  }

  member(replica: number, { replica: self, configuration, members }: GroupStatus): GroupMember {
    const { disk = 0 } = configuration.nodes.get(replica) ?? {};
    if (replica === self) return { replica, disk, active: true, caughtUp: true };
    const match = members.find(({ id }) => id === replica)?.match ?? 0;
    const active = this.isActive(replica);
    // At the first look there is no last one.
    const caughtUp = active && this.#before > 0 && match >= this.#before;
    return { replica, disk, active, caughtUp };
  }
}
