import { countLevels } from "./name.ts";
import { shardOf } from "./shard.ts";

/** A topic name that was found valid, with what is derived from it once. */
export class Topic {
  readonly name: string;
  /** The name as it stands in a packet: its length in two bytes, then UTF-8. */
  readonly wire: Buffer;
  readonly shard: number;
  readonly levels: number;

  // Here from the start, so that every Topic has the same hidden class.
  /** What the gateway matched last, and the trie version that holds for. */
  targets: unknown = undefined;
  targetsVersion = -1;
  /** The same for the owner of the shard. */
  routes: unknown = undefined;
  routesVersion = -1;

  /** Copies bytes[start, end), which must be valid. */
  constructor(bytes: Uint8Array, start: number, end: number, shards: number) {
    const size = end - start;
    // Not from Buffer's pool: a topic that lives long would hold a whole slab of it.
    this.wire = Buffer.allocUnsafeSlow(2 + size);
    this.wire.writeUInt16BE(size);
    this.wire.set(bytes.subarray(start, end), 2);
    this.name = this.wire.toString("utf8", 2); // [MQTT-1.5.4-3] keeps a U+FEFF
    this.shard = shardOf(this.bytes, shards);
    this.levels = countLevels(this.name);
  }

  /** The name in UTF-8: a view of `wire`. */
  get bytes(): Buffer {
    return this.wire.subarray(2);
  }
}
