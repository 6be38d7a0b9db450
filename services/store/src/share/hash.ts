const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a of bytes[start, end), 32 bits. Only this process compares them. */
export function hashBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let hash = FNV_OFFSET | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), FNV_PRIME);
  return hash;
}

/** The weight of one member for one key (rendezvous hashing): unsigned, well mixed. */
export function weightOf(key: number, member: number): number {
  let hash = key ^ Math.imul(member, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
