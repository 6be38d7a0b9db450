/**
 * Before a group is created its first voters agree on their disks: each keeps on its own disk with
 * which one it first met each other, and none begins before all have told that they have the same
 * list. Why that is needed, and why it is enough: docs/raft.md, "Why a wiped disk can't vote".
 */
import type { Logger } from "@canopy/base";
import type { Member, ReplicaId } from "../core/types.ts";
import type { DiskId, GroupId, RaftStorage } from "../storage/port.ts";
import type { Hello, NodeName } from "../transport/port.ts";
import type { Opening } from "./opening.ts";
import type { FoundingStatus, GroupOptions, HostOptions } from "./port.ts";

type Members = ReadonlyMap<ReplicaId, Member>;

const ADVICE: string =
  "if the group was created on any node, remove the replica and add it under a new id; " +
  "if it was not, start all first voters again under new, higher ids";

export class Founding {
  readonly #group: GroupId;
  readonly #replica: ReplicaId;
  readonly #voters: ReadonlyMap<ReplicaId, NodeName>;
  readonly #opening: Opening;
  readonly #storage: RaftStorage;
  readonly #logger: Logger;
  readonly #done = Promise.withResolvers<Members>();
  /** On this disk. */
  #known: Members = new Map();
  /** Those that have told that they know all, as it is known here. */
  readonly #agreed = new Set<ReplicaId>();
  readonly #complaints = new Map<NodeName, string>();
  #writing = false;

  constructor(
    group: GroupId,
    { replica, voters }: NonNullable<GroupOptions["bootstrap"]>,
    opening: Opening,
    { storage, logger }: Pick<HostOptions, "storage" | "logger">,
  ) {
    this.#group = group;
    this.#replica = replica;
    this.#voters = voters;
    this.#opening = opening;
    this.#storage = storage;
    this.#logger = logger;
  }

  get status(): FoundingStatus {
    const others = [...this.#voters].filter(([id]) => id !== this.#replica);
    const waitsFor = others.filter(([id]) => !this.#agreed.has(id)).map(([, node]) => node);
    return { waitsFor, complaints: [...this.#complaints.values()] };
  }

  /** Settles with the members when the group may be created. */
  async run(): Promise<Members> {
    const before = this.#storage.foundings.get(this.#group);
    if (before === undefined || this.#isLater(before.members)) {
      await this.#write(new Map([[this.#replica, this.#self]]));
    } else {
      this.#check(before.replica, before.members);
      this.#known = before.members;
    }
    const { waitsFor } = this.status;
    this.#logger.info({ group: this.#group, waitsFor }, "the first members have to meet");
    return this.#done.promise;
  }

  /** Now and then. What is told here is on the disk. */
  tell(send: (to: NodeName, hello: Hello) => void): void {
    if (this.#known.size === 0) return;
    const { group, from, members } = {
      group: this.#group,
      from: this.#replica,
      members: this.#known,
    };
    for (const [id, node] of this.#voters) {
      if (id !== from) send(node, { type: "founding", group, from, members });
    }
  }

  /** From one that waits as well. */
  met(node: NodeName, disk: DiskId, from: ReplicaId, members: Members): void {
    if (this.#known.size === 0) return;
    const wrong = this.#contradiction(node, disk, from, members);
    if (wrong !== undefined) return this.#complain(node, wrong);
    this.#complaints.delete(node);
    if (!this.#known.has(from)) void this.#meet(from, { name: node, disk });
    else if (this.#isWhole && isSame(members, this.#known)) this.#agree(from);
  }

  /** From one that has the group: so all have had the same list, and this one's, if it is whole, is it. */
  founded(node: NodeName, members: Members): void {
    const own = members.get(this.#replica);
    if (own === undefined) {
      this.#complain(node, "the group runs without this replica: it was removed");
    } else if (own.disk !== this.#storage.disk) {
      this.#complain(node, `the group runs, and knows replica ${this.#replica} by another disk`);
    } else if (!this.#isWhole || !agrees(members, this.#known)) {
      this.#complain(node, "the group runs, and began with other members");
    } else this.#done.resolve(this.#known);
  }

  get #self(): Member {
    return { name: this.#voters.get(this.#replica) ?? "", disk: this.#storage.disk };
  }

  get #isWhole(): boolean {
    return this.#known.size === this.#voters.size;
  }

  /** A new attempt takes the place of one that can't come to an end: none of its ids was in that. */
  #isLater(members: Members): boolean {
    return Math.min(...this.#voters.keys()) > Math.max(...members.keys());
  }

  #check(replica: ReplicaId, members: Members): void {
    const isOne = ([id, { name }]: [ReplicaId, Member]): boolean => this.#voters.get(id) === name;
    if (replica === this.#replica && [...members].every(isOne)) return;
    const first = [...members].map(([id, { name }]) => `${id}=${name}`).join(" ");
    throw new Error(
      `group ${this.#group} was begun here as replica ${replica}, with ${first}: ` +
        "the first voters stay as they were, or all get new, higher ids",
    );
  }

  #contradiction(
    node: NodeName,
    disk: DiskId,
    from: ReplicaId,
    members: Members,
  ): string | undefined {
    if (this.#voters.get(from) !== node) return `${node} says that it is replica ${from}`;
    const foreign = [...members].find(([id, { name }]) => this.#voters.get(id) !== name);
    if (foreign) return `${node} begins with other voters: ${foreign[0]}=${foreign[1].name}`;
    const known = this.#known.get(from);
    if (known !== undefined && known.disk !== disk) {
      return `replica ${from} on ${node} has another disk than before`;
    }
    if (agrees(members, this.#known)) return undefined;
    const [id] = [...members].find((one) => !agrees(new Map([one]), this.#known)) as [
      ReplicaId,
      Member,
    ];
    return `${node} knows replica ${id} by another disk`;
  }

  async #meet(id: ReplicaId, member: Member): Promise<void> {
    if (this.#writing) return;
    this.#logger.info({ group: this.#group, replica: id, node: member.name }, "first member met");
    await this.#write(new Map([...this.#known, [id, member]])).catch(() => {
      // The storage has stopped, or the opening has ended and says why.
    });
  }

  async #write(members: Members): Promise<void> {
    this.#writing = true;
    await this.#opening.disk(this.#storage.found(this.#group, { replica: this.#replica, members }));
    this.#writing = false;
    this.#known = members;
  }

  #agree(from: ReplicaId): void {
    this.#agreed.add(from);
    if (this.#agreed.size === this.#voters.size - 1) this.#done.resolve(this.#known);
  }

  /** Each once, as long as it does not change. */
  #complain(node: NodeName, what: string): void {
    const complaint = `${what}: ${ADVICE}`;
    if (this.#complaints.get(node) === complaint) return;
    this.#complaints.set(node, complaint);
    const fields = { group: this.#group, replica: this.#replica, node };
    this.#logger.error(fields, `this replica can't begin: ${complaint}`);
  }
}

/** Of those that are in both. */
function agrees(some: Members, others: Members): boolean {
  return [...some].every(([id, { disk }]) => (others.get(id)?.disk ?? disk) === disk);
}

function isSame(some: Members, others: Members): boolean {
  return some.size === others.size && agrees(some, others);
}
