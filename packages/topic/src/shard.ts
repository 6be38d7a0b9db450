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

/** FNV-1a over bytes[start, end), as a signed 32-bit integer. */
export function fnv1a(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  }
  return hash;
}

/** The shard for a topic name whose FNV-1a hash this is. */
export function shardOfHash(fnv: number, shards: number): number {
  let hash = fnv;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % shards;
}

/** The shard of a topic name, in [0, shards). */
export function shardOf(name: string | Uint8Array, shards: number): number {
  const bytes = typeof name === "string" ? Buffer.from(name) : name;
  return shardOfHash(fnv1a(bytes, 0, bytes.length), shards);
}

/** The shards with topics that a filter (without "$share/…") can match. */
export function shardsOfFilter(filter: string, shards: number): number[] {
  if (isExact(filter)) return [shardOf(filter, shards)];
  return Array.from({ length: shards }, (_, shard) => shard);
}
