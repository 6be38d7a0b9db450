import { isExact } from "./filter.ts";

/*
 * Which shard a topic belongs to is part of the contract between processes and of what is on
 * disk: it must never change for a running cluster. It is
 *
 *   FNV-1a, 32 bits, over the bytes of the topic name in UTF-8,
 *   then the finaliser of MurmurHash3 (fmix32), as FNV's high bits mix badly,
 *   modulo the number of shards, unsigned.
 *
 * shard.test.ts pins test vectors.
 */

/** The shard of a topic name (its UTF-8, or a string without lone surrogates), in [0, shards). */
export function shardOf(name: string | Uint8Array, shards: number): number {
  const bytes = typeof name === "string" ? Buffer.from(name) : name;
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % shards;
}

/** The shards with topics that a filter (without "$share/…") can match. */
export function shardsOfFilter(filter: string, shards: number): number[] {
  if (isExact(filter)) return [shardOf(filter, shards)];
  return Array.from({ length: shards }, (_, shard) => shard);
}
