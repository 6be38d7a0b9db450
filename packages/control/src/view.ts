/**
 * What is in force in the cluster, as far as one process knows. It is kept by the changes of the
 * control log in their order; a whole view puts it right where changes are missing.
 */
import type {
  Ban,
  Change,
  DownGateway,
  Incarnation,
  Member,
  SessionNode,
  ShardPlace,
  Version,
  VersionedChange,
  WholeView,
} from "./change.ts";
import { difference } from "./difference.ts";

/**
 * Called when all of `changes` are in the view, which is at `version` now. Where a whole view came in,
 * they are what leads there, all with its version; steps that undid each other meanwhile are not seen.
 */
export type ViewListener = (changes: readonly VersionedChange[], version: Version) => void;

export function unownedPlace(shard: number): ShardPlace {
  return { shard, owner: 0, epoch: 0, home: "" };
}

export class ClusterView {
  #version: Version = 0;
  #shards = 0;
  #groups = 0;
  readonly #members = new Map<Incarnation, Member>();
  readonly #down = new Map<Incarnation, DownGateway>();
  #places: ShardPlace[] = [];
  readonly #nodes = new Map<string, SessionNode>();
  readonly #bans = new Map<string, Ban>();
  readonly #listeners = new Set<ViewListener>();

  /** 0: nothing is known yet. */
  get version(): Version {
    return this.#version;
  }

  /** Of the whole cluster; 0 before the first whole view. */
  get shards(): number {
    return this.#shards;
  }

  get groups(): number {
    return this.#groups;
  }

  /** Undefined for who is down, gone, or not known yet. */
  member(incarnation: Incarnation): Member | undefined {
    return this.#members.get(incarnation);
  }

  /** In the order in which they joined. */
  members(): Iterable<Member> {
    return this.#members.values();
  }

  gateways(): readonly Member[] {
    return [...this.#members.values()].filter(({ kind }) => kind === "gateway");
  }

  stores(): readonly Member[] {
    return [...this.#members.values()].filter(({ kind }) => kind === "store");
  }

  /** Gateways that are down and not gone yet. */
  down(): Iterable<DownGateway> {
    return this.#down.values();
  }

  isDown(gateway: Incarnation): boolean {
    return this.#down.has(gateway);
  }

  /** Of a shard that does not exist: nobody's, and never owned. */
  place(shard: number): ShardPlace {
    return this.#places[shard] ?? unownedPlace(shard);
  }

  places(): readonly ShardPlace[] {
    return this.#places;
  }

  /** Undefined for one that is not expected to answer. */
  node(name: string): SessionNode | undefined {
    const node = this.#nodes.get(name);
    return node !== undefined && isThere(node) ? node : undefined;
  }

  /** Those that are expected to answer. */
  nodes(): readonly SessionNode[] {
    return [...this.#nodes.values()].filter(isThere);
  }

  /** Also of one that is awaited, or has left. */
  nodeEntry(name: string): SessionNode | undefined {
    return this.#nodes.get(name);
  }

  /** Also those that are awaited, or have left; in the order in which they were first known. */
  nodeEntries(): Iterable<SessionNode> {
    return this.#nodes.values();
  }

  bans(): Iterable<Ban> {
    return this.#bans.values();
  }

  /** `wall`: now, ms; a ban that is over does not count. */
  ban(kind: Ban["kind"], value: string, wall: number): Ban | undefined {
    const ban = this.#bans.get(banKey(kind, value));
    return ban === undefined || (ban.until !== 0 && ban.until <= wall) ? undefined : ban;
  }

  /** Everything up to `version`, in order; what is in the view already is left out. */
  apply(changes: readonly VersionedChange[], version: Version): void {
    if (version <= this.#version) return;
    const news = changes.filter((one) => one.version > this.#version);
    for (const one of news) this.#change(one.change, one.version);
    this.#version = version;
    this.#tell(news);
  }

  /** An older one than what is known is left out. */
  load(whole: WholeView): void {
    if (whole.version <= this.#version) return;
    const { version } = whole;
    const changes = difference(this.whole(), whole).map((change) => ({ version, change }));
    this.#version = version;
    this.#shards = whole.shards;
    this.#groups = whole.groups;
    this.#places = [...whole.places];
    fill(this.#members, whole.members, ({ incarnation }) => incarnation);
    fill(this.#down, whole.down, ({ incarnation }) => incarnation);
    fill(this.#nodes, whole.nodes, ({ name }) => name);
    fill(this.#bans, whole.bans, ({ kind, value }) => banKey(kind, value));
    this.#tell(changes);
  }

  whole(): WholeView {
    return {
      version: this.#version,
      shards: this.#shards,
      groups: this.#groups,
      members: [...this.#members.values()],
      down: [...this.#down.values()],
      places: [...this.#places],
      nodes: [...this.#nodes.values()],
      bans: [...this.#bans.values()],
    };
  }

  /** Returns what ends it. A listener must not throw. */
  listen(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(changes: readonly VersionedChange[]): void {
    for (const listener of this.#listeners) listener(changes, this.#version);
  }

  #change(change: Change, version: Version): void {
    switch (change.type) {
      case "member-up":
        this.#members.set(change.member.incarnation, change.member);
        return;
      case "gateway-down":
        this.#members.delete(change.incarnation);
        this.#down.set(change.incarnation, { incarnation: change.incarnation, since: version });
        return;
      case "gateway-gone":
        this.#down.delete(change.incarnation);
        return;
      case "store-down":
        this.#members.delete(change.incarnation);
        return;
      case "shard":
        this.#places[change.place.shard] = change.place;
        return;
      case "node":
        this.#nodes.set(change.node.name, change.node);
        return;
      case "banned":
        this.#bans.set(banKey(change.ban.kind, change.ban.value), change.ban);
        return;
      case "unbanned":
        this.#bans.delete(banKey(change.kind, change.value));
    }
  }
}

function isThere({ standing }: SessionNode): boolean {
  return standing === "member" || standing === "leaving";
}

function banKey(kind: Ban["kind"], value: string): string {
  return `${kind} ${value}`;
}

function fill<K, V>(map: Map<K, V>, values: readonly V[], key: (value: V) => K): void {
  map.clear();
  for (const value of values) map.set(key(value), value);
}
