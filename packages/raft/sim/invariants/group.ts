/** What must hold in one group over all its replicas. Each check looks at what is new only. */
import {
  type Configuration,
  EntryKind,
  type LogIndex,
  type Message,
  type ReplicaId,
  type SnapshotMeta,
  type Term,
} from "../../src/core/types.ts";
import type { GroupStatus } from "../../src/host/port.ts";
import type { GroupId, GroupWrite } from "../../src/storage/port.ts";
import { Violation } from "../violation.ts";
import { configurationText, majority } from "./majority.ts";
import type { ReplicaShadow, Seen } from "./replica.ts";
import type { ShadowEntry } from "./shadow-log.ts";

interface Committed extends ShadowEntry {
  /** Of the replica on which it was first seen as committed. */
  readonly inTerm: Term;
}

interface Applied {
  readonly sum: number;
  readonly result: number;
  readonly digest: number;
  /** The command before it. */
  readonly previous: LogIndex;
}

const TERMS = 2 ** 20;

export class GroupInvariants {
  readonly group: GroupId;
  /** All there ever were, also several with one id where a disk was wiped. */
  readonly replicas: ReplicaShadow[] = [];
  readonly committed: (Committed | undefined)[] = [];
  readonly counts = { elections: 0, commits: 0, configurations: 0 };
  maxCommit: LogIndex = 0;
  readonly #leaders = new Map<Term, ReplicaShadow>();
  /** By index and term: the content, and the term of the entry before. */
  readonly #entries = new Map<number, { sum: number; before: Term }>();
  readonly #applied = new Map<LogIndex, Applied>();
  /** The configuration that an entry put in force, as text; that at 0 is the first. */
  readonly #configurations = new Map<LogIndex, string>();
  readonly #known: Configuration[] = [];
  /** By the lowest id. */
  readonly #beginnings = new Map<ReplicaId, string>();
  readonly #votes = new Map<Term, Map<ReplicaId, ReplicaId>>();
  #metas: SnapshotMeta[] = [];
  /** It goes on after an operator's recovery, and what was before need not be so any more. */
  readonly #recovered: boolean;

  constructor(group: GroupId, recovered = false) {
    this.group = group;
    this.#recovered = recovered;
  }

  /** A replica as it is on the disk, with a log that it does not write here. */
  adopt(replica: ReplicaShadow): void {
    this.replicas.push(replica);
    const { log, hardState } = replica.memory;
    for (let index = log.base + 1; index <= log.last; index++) {
      const entry = log.at(index);
      if (entry === undefined) continue;
      this.#matching(replica, index, entry.term);
      // By a majority of which little is left.
      if (index <= hardState.commit) this.committed[index] = { ...entry, inTerm: entry.term };
    }
  }

  /** Who began before never did anything, and is gone. */
  beginAnew(): void {
    this.#configurations.clear();
    this.#metas = [];
  }

  /** A replica begins with it: all that begin with the same ids do with the same disks. */
  begin(configuration: Configuration): void {
    const [first] = configuration.voters;
    const known = this.#beginnings.get(first ?? 0);
    const text = configurationText(configuration);
    if (known !== undefined && known !== text) {
      throw new Violation("one beginning", `group ${this.group}: ${text}; elsewhere ${known}`);
    }
    this.#beginnings.set(first ?? 0, text);
    this.#known.push(configuration);
  }

  /** Before the storage gets it. */
  onWrite(replica: ReplicaShadow, write: GroupWrite): void {
    const first = write.entries[0];
    const { seen } = replica;
    const { log, hardState } = replica.memory;
    if (
      first !== undefined &&
      seen?.role === "leader" &&
      seen.term === (write.hardState?.term ?? hardState.term) &&
      first.index <= log.last
    ) {
      this.#fail("leader append-only", replica, `writes ${first.index} again, behind ${log.last}`);
    }
    const { term } = write.hardState ?? hardState;
    if (term < hardState.term) {
      this.#fail("term monotone", replica, `writes term ${term} after ${hardState.term}`);
    }
    if (
      write.hardState?.term === hardState.term &&
      hardState.vote !== 0 &&
      write.hardState.vote !== hardState.vote
    ) {
      const votes = `${hardState.vote} and then ${write.hardState.vote}`;
      this.#fail("one vote per term", replica, `voted for ${votes} in term ${hardState.term}`);
    }
    if (write.snapshot !== undefined) this.#installs(replica, write.snapshot);
    if (!replica.write(write)) {
      this.#fail("log without gaps", replica, `${first?.index} after ${log.last}`);
    }
    for (const { index, term: of } of write.entries) this.#matching(replica, index, of);
  }

  /** A leader puts a change of members into its log; `status` is the leader's at this moment. */
  onChange(replica: ReplicaShadow, index: LogIndex, status: GroupStatus): void {
    const { log } = replica.memory;
    for (let at = Math.max(status.applied, log.base) + 1; at < index; at++) {
      if (log.at(at)?.kind !== EntryKind.Configuration) continue;
      this.#fail(
        "one change of members at a time",
        replica,
        `${at} is not applied before ${index}`,
      );
    }
    if (log.termAt(status.commit) !== status.term) {
      const detail = `${index} before an entry of term ${status.term} is committed`;
      this.#fail("one change of members at a time", replica, detail);
    }
  }

  /** After the storage said so. */
  onDurable(replica: ReplicaShadow): void {
    replica.done();
    const { term, vote } = replica.durable.hardState;
    if (vote === 0) return;
    this.#votesOf(term).set(replica.id, vote);
  }

  onMessage(replica: ReplicaShadow, message: Message): void {
    if (message.type === "voteAnswer" && message.granted) this.#granted(replica, message);
    if (message.type !== "appendAnswer" || message.rejected) return;
    const { hardState, log } = replica.durable;
    if (hardState.term > message.term) return;
    const leader = this.#leaders.get(message.term);
    const wanted = leader?.seen?.role === "leader" && leader.seen.term === message.term;
    const expected = wanted ? leader.memory.log.termAt(message.index) : undefined;
    const there = log.termAt(message.index);
    if (
      message.index > log.last ||
      (expected !== undefined && there !== undefined && expected !== there)
    ) {
      const has = `on the disk: ${replica.describeDurable()}`;
      const says = `accepts up to ${message.index} (term there ${expected}) in term ${message.term}`;
      this.#fail("an answer speaks of what is durable", replica, `${says}; ${has}`);
    }
  }

  /** `status` after an event that touched the replica. */
  onSeen(replica: ReplicaShadow, status: GroupStatus): void {
    const before = replica.seen;
    const now: Seen = {
      role: status.role,
      term: status.term,
      commit: status.commit,
      applied: status.applied,
      configuration: status.configuration,
      members: status.members,
    };
    replica.seen = now;
    this.#monotone(replica, before, now);
    if (now.role === "leader" && (before?.role !== "leader" || before.term !== now.term)) {
      this.#elected(replica, before?.configuration, now);
    }
    if (now.role === "leader" && before?.role === "leader" && before.term === now.term) {
      this.#leads(replica, before, now);
    }
    if (now.commit > (before?.commit ?? 0)) this.#commits(replica, before, now);
    if (now.applied > (before?.applied ?? -1)) this.#configured(replica, before, now);
    this.#checkMetas(replica);
  }

  /** `state` is the state machine's after the command. */
  onApply(index: LogIndex, sum: number, result: number, digest: number, previous: LogIndex): void {
    const known = this.#applied.get(index);
    if (known === undefined) {
      this.#applied.set(index, { sum, result, digest, previous });
      return;
    }
    const where = `index ${index} of group ${this.group}`;
    if (known.sum !== sum) throw new Violation("state-machine safety", `two commands at ${where}`);
    if (known.previous !== previous) {
      const both = `${known.previous} and ${previous}`;
      throw new Violation("state-machine safety", `before ${where} came ${both}`);
    }
    if (known.result !== result || known.digest !== digest) {
      throw new Violation("state-machine safety", `two results or states at ${where}`);
    }
  }

  onRestore(index: LogIndex, digest: number): void {
    const expected = index === 0 ? 0 : this.#applied.get(index)?.digest;
    if (expected === undefined && this.#recovered) return;
    if (digest !== expected) {
      const where = `${index} of group ${this.group}`;
      throw new Violation(
        "state-machine safety",
        `restored another state than that after ${where}`,
      );
    }
  }

  onSnapshot(meta: SnapshotMeta): void {
    this.#metas.push(meta);
  }

  #votesOf(term: Term): Map<ReplicaId, ReplicaId> {
    let votes = this.#votes.get(term);
    if (votes === undefined) this.#votes.set(term, (votes = new Map()));
    return votes;
  }

  #granted(replica: ReplicaShadow, { term, to }: Message): void {
    const earlier = replica.granted.get(term);
    if (earlier !== undefined && earlier !== to) {
      const votes = `${earlier} and ${to} in term ${term}`;
      this.#fail("one vote per term", replica, `granted to ${votes}`);
    }
    replica.granted.set(term, to);
    // A higher term on the disk keeps it from another vote in this one as well.
    if (replica.durable.hardState.term > term) this.#votesOf(term).set(replica.id, to);
    if (this.#votes.get(term)?.get(replica.id) !== to) {
      const detail = `grants ${to} term ${term}; on the disk: ${replica.describeDurable()}`;
      this.#fail("an answer speaks of what is durable", replica, detail);
    }
  }

  #matching(replica: ReplicaShadow, index: LogIndex, term: Term): void {
    const { log } = replica.memory;
    const entry = log.at(index);
    const before = log.termAt(index - 1);
    if (entry === undefined || before === undefined) return;
    const known = this.#entries.get(index * TERMS + term);
    if (known === undefined) {
      this.#entries.set(index * TERMS + term, { sum: entry.sum, before });
    } else if (known.sum !== entry.sum || known.before !== before) {
      this.#fail("log matching", replica, `two entries of index ${index} and term ${term}`);
    }
    if (term < before)
      this.#fail("log matching", replica, `term ${term} after ${before} at ${index}`);
  }

  #monotone(replica: ReplicaShadow, before: Seen | undefined, now: Seen): void {
    const durable = replica.durable.hardState.term;
    if (now.term < durable) {
      this.#fail("term monotone", replica, `${now.term}, and ${durable} is on the disk`);
    }
    if (now.applied > now.commit) {
      this.#fail("applied ≤ commit", replica, `${now.applied} > ${now.commit}`);
    }
    if (now.applied > replica.durable.log.last) {
      const detail = `${now.applied}, and on the disk is ${replica.describeDurable()}`;
      this.#fail("applied ⇒ on the disk", replica, detail);
    }
    if (before === undefined) return;
    for (const what of ["term", "commit", "applied"] as const) {
      if (now[what] < before[what]) {
        this.#fail(`${what} monotone`, replica, `${now[what]} after ${before[what]}`);
      }
    }
  }

  #elected(replica: ReplicaShadow, old: Configuration | undefined, now: Seen): void {
    this.counts.elections++;
    const other = this.#leaders.get(now.term);
    if (other !== undefined && other !== replica) {
      this.#fail("election safety", replica, `leads term ${now.term}, as does ${other.name}`);
    }
    this.#leaders.set(now.term, replica);
    const votes = this.#votes.get(now.term);
    const voted = (id: ReplicaId): boolean => votes?.get(id) === replica.id;
    if (!this.#quorum([old, now.configuration], voted)) {
      const had = [...(votes ?? [])].map(([id, to]) => `${id} for ${to}`).join(", ");
      this.#fail("leader has a durable majority", replica, `in term ${now.term}: ${had}`);
    }
    const { log } = replica.memory;
    for (let index = Math.max(1, log.base); index < this.committed.length; index++) {
      const entry = this.committed[index];
      if (entry === undefined || entry.inTerm >= now.term) continue;
      if (log.termAt(index) !== entry.term) {
        const has = `${log.termAt(index) ?? "nothing"} instead of ${entry.term}`;
        this.#fail("leader completeness", replica, `term at ${index}: ${has}`);
      }
    }
  }

  /** Figure 13, rule 6: what matches stays, with all that follows it. */
  #installs(replica: ReplicaShadow, meta: SnapshotMeta): void {
    this.#metas.push(meta);
    const { log } = replica.memory;
    const commit = replica.seen?.commit ?? 0;
    const { index, term } = meta;
    if (index <= commit) {
      this.#fail("a snapshot only brings news", replica, `${index}, and commit is ${commit}`);
    }
    if (log.termAt(index) === term && log.last > index) {
      const detail = `the snapshot at ${index} matches, and drops the log up to ${log.last}`;
      this.#fail("a snapshot only brings news", replica, detail);
    }
  }

  /** Of one who leads on. */
  #leads(replica: ReplicaShadow, before: Seen, now: Seen): void {
    const { log } = replica.memory;
    if (now.commit > before.commit && log.termAt(now.commit) !== now.term) {
      const detail = `${now.commit} of term ${log.termAt(now.commit)} in term ${now.term}`;
      this.#fail("a leader commits by counting only in its term", replica, detail);
    }
    for (const { id, match } of now.members) {
      const was = before.members.find((member) => member.id === id)?.match ?? 0;
      if (match === was) continue;
      if (match < was) this.#fail("match monotone", replica, `${match} after ${was} of ${id}`);
      const has = this.replicas.some(({ id: other, durable }) => {
        const matches = durable.log.termAt(match) === log.termAt(match);
        // Its word may be older than what a leader of a later term had it write since.
        const later = durable.hardState.term > now.term;
        return other === id && (matches || later || match < durable.log.base);
      });
      if (!has && log.termAt(match) !== undefined) {
        const detail = `${match} (term ${log.termAt(match)}) of replica ${id}, which has not got that`;
        this.#fail("match ⇒ durable there", replica, detail);
      }
    }
  }

  #commits(replica: ReplicaShadow, before: Seen | undefined, now: Seen): void {
    const { log } = replica.memory;
    if (now.commit > log.last) {
      this.#fail("state-machine safety", replica, `commit ${now.commit} behind ${log.last}`);
    }
    for (let index = Math.max(1, before?.commit ?? 0); index <= now.commit; index++) {
      const known = this.committed[index];
      const entry = log.at(index);
      if (entry === undefined) {
        if (index === log.base && known !== undefined && known.term !== log.baseTerm) {
          const terms = `${log.baseTerm}, committed was ${known.term}`;
          this.#fail("state-machine safety", replica, `snapshot at ${index} of term ${terms}`);
        }
        continue;
      }
      if (known === undefined) {
        this.#commit(replica, before, now, entry);
      } else if (known.sum !== entry.sum) {
        const both = `terms ${known.term} and ${entry.term}`;
        this.#fail("state-machine safety", replica, `two committed entries at ${index}, ${both}`);
      }
    }
    this.maxCommit = Math.max(this.maxCommit, now.commit);
  }

  #commit(replica: ReplicaShadow, before: Seen | undefined, now: Seen, entry: ShadowEntry): void {
    this.committed[entry.index] = { ...entry, inTerm: now.term };
    this.counts.commits++;
    const has = (id: ReplicaId): boolean =>
      this.replicas.some(({ id: other, durable: { log } }) => {
        // A snapshot from before a recovery stands for what was committed then.
        const covered = this.#recovered && entry.index <= log.base;
        return other === id && (covered || log.at(entry.index)?.sum === entry.sum);
      });
    // Another may have counted under a configuration that this one does not have yet, or no more.
    const configurations = [before?.configuration, now.configuration, ...this.#known.slice(-2)];
    if (!this.#quorum(configurations, has)) {
      const where = this.replicas.filter((other) => has(other.id)).map((other) => other.name);
      const detail = `index ${entry.index} of term ${entry.term} is only on ${where.join(", ")}`;
      this.#fail("committed ⇒ durable on a majority", replica, detail);
    }
  }

  #configured(replica: ReplicaShadow, before: Seen | undefined, now: Seen): void {
    const { log } = replica.memory;
    const installed = before === undefined || before.applied < log.base;
    let at: LogIndex | undefined = installed && now.applied >= log.base ? log.base : undefined;
    for (let index = Math.max(log.base, before?.applied ?? 0) + 1; index <= now.applied; index++) {
      if (log.at(index)?.kind === EntryKind.Configuration) at = index;
    }
    if (at === undefined || at < log.base || now.configuration.voters.length === 0) return;
    if (at === log.base) at = this.changeBefore(at);
    const text = this.#text(now.configuration);
    const known = this.#configurations.get(at);
    if (known === undefined) {
      this.#configurations.set(at, text);
      if (at > 0) this.counts.configurations++;
      this.#known.push(now.configuration);
    } else if (known !== text) {
      const detail = `after ${at}: ${text}; elsewhere ${known}`;
      this.#fail("one configuration per index", replica, detail);
    }
  }

  /** The last committed change of members up to there; 0 if there was none. */
  changeBefore(index: LogIndex): LogIndex {
    for (let at = index; at > 0; at--) {
      if (this.committed[at]?.kind === EntryKind.Configuration) return at;
    }
    return 0;
  }

  /** Survivors may know of ids that were given away and came to nothing, each of others. */
  #text(configuration: Configuration): string {
    return configurationText(this.#recovered ? { ...configuration, highest: 0 } : configuration);
  }

  #checkMetas(replica: ReplicaShadow): void {
    if (this.#metas.length === 0) return;
    const metas = this.#metas;
    this.#metas = [];
    for (const { index, term, configuration } of metas) {
      const entry = this.committed[index];
      if (entry === undefined) continue;
      if (entry.term !== term) {
        const terms = `${term} instead of ${entry.term}`;
        this.#fail("state-machine safety", replica, `snapshot at ${index} has term ${terms}`);
      }
      const known = this.#configurations.get(this.changeBefore(index));
      const text = this.#text(configuration);
      if (known !== undefined && known !== text) {
        const detail = `snapshot at ${index} has ${text} instead of ${known}`;
        this.#fail("one configuration per index", replica, detail);
      }
    }
  }

  #quorum(
    configurations: readonly (Configuration | undefined)[],
    has: (id: ReplicaId) => boolean,
  ): boolean {
    return configurations.some(
      (one) => one !== undefined && one.voters.length > 0 && majority(one, has),
    );
  }

  #fail(invariant: string, replica: ReplicaShadow, detail: string): never {
    throw new Violation(invariant, `${replica.name}: ${detail}`);
  }
}
