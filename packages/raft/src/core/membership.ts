/** Which configuration follows from a change, and the change's binary form in an entry. */
import { ByteReader, ByteWriter, DecodeError, unreachable } from "@canopy/base";
import { isJoint } from "./quorum.ts";
import type {
  Configuration,
  ConfigurationChange,
  Member,
  MemberChange,
  ReplicaId,
} from "./types.ts";
import { NONE } from "./types.ts";

export type Changed =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly message: string };

export function isMember(configuration: Configuration, id: ReplicaId): boolean {
  const { voters, outgoing, learners } = configuration;
  return voters.includes(id) || outgoing.includes(id) || learners.includes(id);
}

/** Was a member, and is none any more. Ids above `highest` may be of a configuration to come. */
export function isRemoved(configuration: Configuration, id: ReplicaId): boolean {
  return id <= configuration.highest && !isMember(configuration, id);
}

/** Each once, in the order of their ids. */
export function membersOf(configuration: Configuration): readonly ReplicaId[] {
  const { voters, outgoing, learners } = configuration;
  return sorted(new Set([...voters, ...outgoing, ...learners]));
}

export function changeConfiguration(
  configuration: Configuration,
  change: ConfigurationChange,
): Changed {
  const joint = isJoint(configuration);
  if (change.changes.length === 0) {
    return joint ? { ok: true, configuration: leaveJoint(configuration) } : refuse("no changes");
  }
  if (joint) return refuse("the configuration is joint");
  const draft = new Draft(configuration);
  for (const one of change.changes) {
    const message = draft.change(one);
    if (message !== undefined) return refuse(message);
  }
  if (draft.voters.size === 0) return refuse("no voter would be left");
  return { ok: true, configuration: draft.finish() };
}

/**
 * Why a leader does not propose it; undefined if nothing is wrong with its ids. It is no matter of the
 * change itself: survivors of a recovery may know of ids that came to nothing, each of others, and
 * have to come to the same configuration.
 */
export function idsGivenBefore(
  { highest }: Configuration,
  { changes }: ConfigurationChange,
): string | undefined {
  const given = changes.find((one) => "node" in one && one.id <= highest);
  return given && `id ${given.id} was given before: new ones are above ${highest}`;
}

function refuse(message: string): Changed {
  return { ok: false, message };
}

function leaveJoint(from: Configuration): Configuration {
  const learners = sorted(new Set([...from.learners, ...from.learnersNext]));
  const members = new Set([...from.voters, ...learners]);
  return {
    voters: from.voters,
    outgoing: [],
    learners,
    learnersNext: [],
    autoLeave: false,
    highest: from.highest,
    nodes: keepNodes(from.nodes, members),
  };
}

/** A configuration that is being changed. */
class Draft {
  readonly voters: Set<ReplicaId>;
  readonly #from: Configuration;
  readonly #learners: Set<ReplicaId>;
  readonly #demoted = new Set<ReplicaId>();
  readonly #touched = new Set<ReplicaId>();
  readonly #nodes: Map<ReplicaId, Member>;
  #highest: ReplicaId;

  constructor(from: Configuration) {
    this.#from = from;
    this.voters = new Set(from.voters);
    this.#learners = new Set(from.learners);
    this.#nodes = new Map(from.nodes);
    this.#highest = from.highest;
  }

  /** Returns why it can't be done. */
  change(one: MemberChange): string | undefined {
    const { id } = one;
    if (this.#touched.has(id)) return `replica ${id} is changed twice`;
    this.#touched.add(id);
    switch (one.type) {
      case "addVoter":
        return this.#add(this.voters, id, { name: one.node, disk: one.disk });
      case "addLearner":
        return this.#add(this.#learners, id, { name: one.node, disk: one.disk });
      case "promote":
        if (!this.#learners.delete(id)) return `replica ${id} is no learner`;
        this.voters.add(id);
        return undefined;
      case "demote":
        if (!this.voters.delete(id)) return `replica ${id} is no voter`;
        this.#demoted.add(id);
        return undefined;
      case "remove":
        if (this.voters.delete(id) || this.#learners.delete(id)) return undefined;
        return `replica ${id} is no member`;
      default:
        return unreachable(one);
    }
  }

  finish(): Configuration {
    const joint = this.#votersChanged() > 1;
    const outgoing = joint ? this.#from.voters : [];
    const learners = joint ? this.#learners : new Set([...this.#learners, ...this.#demoted]);
    return {
      voters: sorted(this.voters),
      outgoing,
      learners: sorted(learners),
      // A voter of the old majority votes until the joint configuration is left.
      learnersNext: joint ? sorted(this.#demoted) : [],
      autoLeave: joint,
      highest: this.#highest,
      nodes: keepNodes(this.#nodes, new Set([...this.voters, ...learners, ...outgoing])),
    };
  }

  #add(to: Set<ReplicaId>, id: ReplicaId, member: Member): string | undefined {
    if (!Number.isSafeInteger(id) || id <= NONE || this.#nodes.has(id)) {
      return `id ${id} can't be added`;
    }
    to.add(id);
    this.#nodes.set(id, member);
    this.#highest = Math.max(this.#highest, id);
    return undefined;
  }

  #votersChanged(): number {
    const before = this.#from.voters;
    const left = before.filter((id) => !this.voters.has(id)).length;
    return left + (this.voters.size - (before.length - left));
  }
}

function sorted(ids: ReadonlySet<ReplicaId>): readonly ReplicaId[] {
  return [...ids].sort((a, b) => a - b);
}

function keepNodes(
  nodes: ReadonlyMap<ReplicaId, Member>,
  members: ReadonlySet<ReplicaId>,
): ReadonlyMap<ReplicaId, Member> {
  return new Map([...nodes].filter(([id]) => members.has(id)));
}

const VERSION = 1;
/** The place in this list is the byte in the entry. */
const TYPES = ["addVoter", "addLearner", "promote", "demote", "remove"] as const;

/** Version, then for each change its type, its id and, where one is added, its node and disk. */
export function encodeChange(change: ConfigurationChange): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u8(VERSION);
  writer.varint(change.changes.length);
  for (const one of change.changes) {
    writer.u8(TYPES.indexOf(one.type));
    writer.varint(one.id);
    if (one.type === "addVoter" || one.type === "addLearner") {
      writer.string(one.node);
      writer.varint(one.disk);
    }
  }
  return writer.take();
}

/** Throws a DecodeError. */
export function decodeChange(data: Uint8Array): ConfigurationChange {
  const reader = new ByteReader(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  const version = reader.u8();
  if (version !== VERSION) throw new DecodeError(`configuration change of version ${version}`);
  const changes: MemberChange[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const byte = reader.u8();
    const type = TYPES[byte];
    if (type === undefined) throw new DecodeError(`member change of type ${byte}`);
    const id = reader.varint();
    if (type === "addVoter" || type === "addLearner") {
      const node = reader.string();
      changes.push({ type, id, node, disk: reader.varint() });
    } else changes.push({ type, id });
  }
  reader.expectEnd();
  return { changes };
}
