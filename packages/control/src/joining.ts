/** Members come and go. Each function says what changes; nothing is changed here. */
import type { Change, Incarnation, Member, ShardPlace, Version } from "./change.ts";
import type { Assignment } from "./commands.ts";
import type { JoinRequest } from "./port.ts";
import type { Tables } from "./tables.ts";

/** Together of both kinds, with gateways that are down and not gone. */
export const MAX_MEMBERS = 10_000;
/** Of bans and of session nodes, each. */
export const MAX_ENTRIES = 10_000;
/** Of names, addresses and the like, in UTF-16 units. */
export const MAX_TEXT = 1_000;

/** Why it can't join; undefined if it can. */
export function whyNotJoin({ view }: Tables, request: JoinRequest): string | undefined {
  if (view.shards === 0) return "the cluster is not created yet";
  const { name, address, disk, token } = request;
  if (name === "" || token === "") return "a name and a token are needed";
  if ([name, address, disk, token].some(({ length }) => length > MAX_TEXT)) {
    return `a name, address, disk or token is longer than ${MAX_TEXT}`;
  }
  if (request.kind === "gateway" && disk !== "") return "a gateway has no disk";
  const size = [...view.members()].length + [...view.down()].length;
  return size >= MAX_MEMBERS ? `there are ${size} members already` : undefined;
}

/** The live member that this request has made already. */
export function joinedBefore({ tokens }: Tables, token: string): Incarnation | undefined {
  for (const [incarnation, of] of tokens) if (of === token) return incarnation;
  return undefined;
}

/** Also the end of who is dead because this one is there, and what this one takes over at once. */
export function join(tables: Tables, request: JoinRequest, incarnation: Version): Change[] {
  const { kind, name, address, disk } = request;
  const member: Member = { kind, incarnation, name, address, disk };
  const before = [...tables.view.members()].filter((other) => isReplaced(other, member));
  return [
    ...before.flatMap((other) => memberDown(tables, other)),
    { type: "member-up", member },
    ...tables.view
      .places()
      .filter(({ home }) => disk !== "" && home === disk)
      .map((place) => owned(place, member)),
  ];
}

/** A disk is locked by one process at a time; a gateway can be ended at any time (in two steps). */
function isReplaced(other: Member, by: Member): boolean {
  if (other.kind !== by.kind) return false;
  return by.kind === "gateway" ? other.name === by.name : by.disk !== "" && other.disk === by.disk;
}

export function memberDown(tables: Tables, { kind, incarnation }: Member): Change[] {
  if (kind === "gateway") return [{ type: "gateway-down", incarnation }];
  const orphans = tables.view.places().filter(({ owner }) => owner === incarnation);
  return [
    { type: "store-down", incarnation },
    ...orphans.map((place): Change => ({ type: "shard", place: { ...place, owner: 0 } })),
  ];
}

/** Those whose reason still holds. */
export function assign({ view }: Tables, assignments: readonly Assignment[]): Change[] {
  const changes = new Map<number, Change>();
  for (const { shard, owner, epoch } of assignments) {
    const place = view.place(shard);
    const store = view.member(owner);
    const isStale = place.epoch !== epoch || shard >= view.shards || changes.has(shard);
    if (isStale || store?.kind !== "store" || place.owner === owner) continue;
    if (place.home !== "" && place.home !== store.disk) continue;
    changes.set(shard, owned(place, store));
  }
  return [...changes.values()];
}

export function owned({ shard, epoch, home }: ShardPlace, store: Member): Change {
  const { incarnation: owner, disk } = store;
  return { type: "shard", place: { shard, owner, epoch: epoch + 1, home: disk || home } };
}
