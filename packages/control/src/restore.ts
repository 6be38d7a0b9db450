/** A state from the chunks of a snapshot, given one by one in their order. */
import { ByteReader, DecodeError } from "@canopy/base";
import type {
  Ban,
  DownGateway,
  Incarnation,
  Member,
  SessionNode,
  ShardPlace,
  Version,
} from "./change.ts";
import { readBan, readMember, readNode, readPlace } from "./encode-values.ts";
import {
  BANS_CHUNK,
  DOWN_CHUNK,
  END_CHUNK,
  HEADER_CHUNK,
  MEMBERS_CHUNK,
  NODES_CHUNK,
  PLACES_CHUNK,
  SNAPSHOT_VERSION,
} from "./snapshot.ts";
import { ControlState } from "./state.ts";
import { Tables } from "./tables.ts";

interface Header {
  readonly version: Version;
  readonly shards: number;
  readonly groups: number;
  readonly lastReplica: number;
}

export class SnapshotReader {
  #header: Header | undefined;
  readonly #tokens = new Map<Incarnation, string>();
  readonly #members: Member[] = [];
  readonly #down: DownGateway[] = [];
  readonly #places: ShardPlace[] = [];
  readonly #nodes: SessionNode[] = [];
  readonly #bans: Ban[] = [];
  #ended = false;

  /** Throws a DecodeError for anything but the next chunk of a snapshot. */
  push(chunk: Uint8Array): void {
    const r = new ByteReader(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const kind = r.u8();
    if (this.#ended) throw new DecodeError("a chunk behind the end of a snapshot");
    if (this.#header === undefined) this.#header = readHeader(kind, r);
    else if (kind === END_CHUNK) this.#end(r);
    else while (r.remaining > 0) this.#read(kind, r);
    r.expectEnd();
  }

  finish(): ControlState {
    const header = this.#header;
    if (header === undefined || !this.#ended) throw new DecodeError("snapshot without an end");
    const { lastReplica, ...size } = header;
    const tables = new Tables({
      ...size,
      members: this.#members,
      down: this.#down,
      places: this.#places,
      nodes: this.#nodes,
      bans: this.#bans,
    });
    for (const [incarnation, token] of this.#tokens) tables.tokens.set(incarnation, token);
    tables.lastReplica = lastReplica;
    return new ControlState(tables);
  }

  #read(kind: number, r: ByteReader): void {
    switch (kind) {
      case MEMBERS_CHUNK: {
        const member = readMember(r);
        this.#members.push(member);
        this.#tokens.set(member.incarnation, r.string());
        return;
      }
      case DOWN_CHUNK:
        this.#down.push({ incarnation: r.varint(), since: r.varint() });
        return;
      case PLACES_CHUNK:
        this.#places.push(readPlace(r));
        return;
      case NODES_CHUNK:
        this.#nodes.push(readNode(r));
        return;
      case BANS_CHUNK:
        this.#bans.push(readBan(r));
        return;
      default:
        throw new DecodeError(`chunk ${kind} out of place in a snapshot`);
    }
  }

  #end(r: ByteReader): void {
    for (const list of [this.#members, this.#down, this.#places, this.#nodes, this.#bans]) {
      const expected = r.varint();
      if (expected !== list.length) throw new DecodeError(`${list.length} of ${expected} entries`);
    }
    this.#ended = true;
  }
}

function readHeader(kind: number, r: ByteReader): Header {
  if (kind !== HEADER_CHUNK) throw new DecodeError(`chunk ${kind} out of place in a snapshot`);
  const version = r.u8();
  if (version < 1 || version > SNAPSHOT_VERSION) {
    throw new DecodeError(`snapshot of version ${version}; known up to ${SNAPSHOT_VERSION}`);
  }
  const [at, shards, groups] = [r.varint(), r.varint(), r.varint()];
  // The first version knew no nodes.
  return { version: at, shards, groups, lastReplica: version === 1 ? 0 : r.varint() };
}
