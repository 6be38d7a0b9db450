/** What the control log says, to messages of canopy.control.v1 and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Announcement,
  Ban,
  Change,
  JoinRequest,
  Member,
  MemberKind,
  NodeStanding,
  NodeWish,
  SessionNode,
  ShardPlace,
  VersionedChange,
  WholeView,
} from "@canopy/control";
import {
  type AnnounceRequest as AnnounceRequestMessage,
  type AnnounceRequestSchema,
  type BanKey as BanKeyMessage,
  type BanKeySchema,
  BanKind,
  type Ban as BanMessage,
  type BanSchema,
  type Change as ChangeMessage,
  type ChangeSchema,
  type JoinRequest as JoinRequestMessage,
  type JoinRequestSchema,
  MemberKind as MemberKinds,
  type Member as MemberMessage,
  type MemberSchema,
  NodeStanding as NodeStandings,
  NodeWish as NodeWishes,
  type SessionNode as SessionNodeMessage,
  type SessionNodeSchema,
  type ShardPlace as ShardPlaceMessage,
  type ShardPlaceSchema,
  type WholeView as WholeViewMessage,
  type WholeViewSchema,
  type WishRequest as WishRequestMessage,
  type WishRequestSchema,
} from "../gen/canopy/control/v1/control_pb.ts";
import { invalid, nameOf, required } from "../numbers.ts";

const MEMBER_KINDS: Readonly<Record<MemberKind, MemberKinds>> = {
  gateway: MemberKinds.GATEWAY,
  store: MemberKinds.STORE,
};

const BAN_KINDS: Readonly<Record<Ban["kind"], BanKind>> = {
  client: BanKind.CLIENT,
  user: BanKind.USER,
  address: BanKind.ADDRESS,
};

const STANDINGS: Readonly<Record<NodeStanding, NodeStandings>> = {
  member: NodeStandings.MEMBER,
  leaving: NodeStandings.LEAVING,
  awaited: NodeStandings.AWAITED,
  left: NodeStandings.LEFT,
};

const WISHES: Readonly<Record<NodeWish["wish"], NodeWishes>> = {
  add: NodeWishes.ADD,
  remove: NodeWishes.REMOVE,
  replace: NodeWishes.REPLACE,
  drain: NodeWishes.DRAIN,
  resume: NodeWishes.RESUME,
};

export function toJoin(request: JoinRequest): MessageInitShape<typeof JoinRequestSchema> {
  const { kind, name, address, disk, token } = request;
  return { kind: MEMBER_KINDS[kind], name, address, disk, token };
}

export function fromJoin(message: JoinRequestMessage): JoinRequest {
  const { name, address, disk, token } = message;
  return { kind: nameOf(MEMBER_KINDS, message.kind, "kind of member"), name, address, disk, token };
}

function toMember(member: Member): MessageInitShape<typeof MemberSchema> {
  const { kind, incarnation, name, address, disk } = member;
  return {
    kind: MEMBER_KINDS[kind],
    incarnation: BigInt(incarnation),
    name,
    address,
    disk,
  };
}

function fromMember(message: MemberMessage): Member {
  const { name, address, disk } = message;
  const kind = nameOf(MEMBER_KINDS, message.kind, "kind of member");
  return { kind, incarnation: Number(message.incarnation), name, address, disk };
}

function toPlace(place: ShardPlace): MessageInitShape<typeof ShardPlaceSchema> {
  const { shard, owner, epoch, home } = place;
  return { shard, owner: BigInt(owner), epoch: BigInt(epoch), home };
}

function fromPlace({ shard, owner, epoch, home }: ShardPlaceMessage): ShardPlace {
  return { shard, owner: Number(owner), epoch: Number(epoch), home };
}

export function toBan(ban: Ban): MessageInitShape<typeof BanSchema> {
  const { kind, value, reason, until } = ban;
  return { kind: BAN_KINDS[kind], value, reason, until: BigInt(until) };
}

export function fromBan(message: BanMessage | undefined): Ban {
  const { kind, value, reason, until } = required(message, "ban");
  return { kind: nameOf(BAN_KINDS, kind, "kind of ban"), value, reason, until: Number(until) };
}

export type BanKey = Pick<Ban, "kind" | "value">;

export function toBanKey({ kind, value }: BanKey): MessageInitShape<typeof BanKeySchema> {
  return { kind: BAN_KINDS[kind], value };
}

export function fromBanKey(message: BanKeyMessage | undefined): BanKey {
  const { kind, value } = required(message, "ban");
  return { kind: nameOf(BAN_KINDS, kind, "kind of ban"), value };
}

function toNode(node: SessionNode): MessageInitShape<typeof SessionNodeSchema> {
  const { name, address, disk, replica, standing, drained } = node;
  return {
    name,
    address,
    disk: BigInt(disk),
    replica: BigInt(replica),
    standing: STANDINGS[standing],
    drained,
  };
}

function fromNode(message: SessionNodeMessage): SessionNode {
  const { name, address, disk, replica, standing, drained } = message;
  return {
    name,
    address,
    disk: Number(disk),
    replica: Number(replica),
    standing: nameOf(STANDINGS, standing, "standing of a node"),
    drained,
  };
}

export function toAnnouncement(node: Announcement): MessageInitShape<typeof AnnounceRequestSchema> {
  const { name, address, disk, replica } = node;
  return { name, address, disk: BigInt(disk), replica: BigInt(replica) };
}

export function fromAnnouncement(message: AnnounceRequestMessage): Announcement {
  const { name, address, disk, replica } = message;
  return { name, address, disk: Number(disk), replica: Number(replica) };
}

export function toWish({ name, wish }: NodeWish): MessageInitShape<typeof WishRequestSchema> {
  return { name, wish: WISHES[wish] };
}

export function fromWish({ name, wish }: WishRequestMessage): NodeWish {
  return { name, wish: nameOf(WISHES, wish, "wish") };
}

export function toWhole(view: WholeView): MessageInitShape<typeof WholeViewSchema> {
  const { version, shards, groups, members, down, places, nodes, bans } = view;
  return {
    version: BigInt(version),
    shards,
    groups,
    members: members.map(toMember),
    down: down.map(({ incarnation, since }) => ({
      incarnation: BigInt(incarnation),
      since: BigInt(since),
    })),
    places: places.map(toPlace),
    nodes: nodes.map(toNode),
    bans: bans.map(toBan),
  };
}

export function fromWhole(message: WholeViewMessage): WholeView {
  const { version, shards, groups, members, down, places, nodes, bans } = message;
  return {
    version: Number(version),
    shards,
    groups,
    members: members.map(fromMember),
    down: down.map(({ incarnation, since }) => ({
      incarnation: Number(incarnation),
      since: Number(since),
    })),
    places: places.map(fromPlace),
    nodes: nodes.map(fromNode),
    bans: bans.map(fromBan),
  };
}

type ChangeInit = Exclude<MessageInitShape<typeof ChangeSchema>["change"], undefined>;

export function toChange({
  version,
  change,
}: VersionedChange): MessageInitShape<typeof ChangeSchema> {
  return { version: BigInt(version), change: initOf(change) };
}

function initOf(change: Change): ChangeInit {
  switch (change.type) {
    case "member-up":
      return { case: "memberUp", value: toMember(change.member) };
    case "gateway-down":
      return { case: "gatewayDown", value: BigInt(change.incarnation) };
    case "gateway-gone":
      return { case: "gatewayGone", value: BigInt(change.incarnation) };
    case "store-down":
      return { case: "storeDown", value: BigInt(change.incarnation) };
    case "shard":
      return { case: "shard", value: toPlace(change.place) };
    case "node":
      return { case: "node", value: toNode(change.node) };
    case "banned":
      return { case: "banned", value: toBan(change.ban) };
    case "unbanned":
      return { case: "unbanned", value: toBanKey(change) };
  }
}

export function fromChange({ version, change }: ChangeMessage): VersionedChange {
  return { version: Number(version), change: changeOf(change) };
}

function changeOf(change: ChangeMessage["change"]): Change {
  switch (change.case) {
    case "memberUp":
      return { type: "member-up", member: fromMember(change.value) };
    case "gatewayDown":
      return { type: "gateway-down", incarnation: Number(change.value) };
    case "gatewayGone":
      return { type: "gateway-gone", incarnation: Number(change.value) };
    case "storeDown":
      return { type: "store-down", incarnation: Number(change.value) };
    case "shard":
      return { type: "shard", place: fromPlace(change.value) };
    case "node":
      return { type: "node", node: fromNode(change.value) };
    case "banned":
      return { type: "banned", ban: fromBan(change.value) };
    case "unbanned":
      return { type: "unbanned", ...fromBanKey(change.value) };
    case undefined:
      // Left out it would be missing from the view for ever.
      throw invalid("a change of a later version");
  }
}
