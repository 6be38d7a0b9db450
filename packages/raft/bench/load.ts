/** Proposes as fast as answers come, with so many in flight, and notes how long each took. */
import type { RaftGroup } from "../src/host/port.ts";

export interface LoadOptions {
  readonly inflight: number;
  readonly ms: number;
  /** Of a command. */
  readonly bytes: number;
  /** Not counted: code gets compiled, buffers get their size. */
  readonly warmUp: number;
}

export interface LoadResult {
  readonly commits: number;
  /** Answers that are not "committed". */
  readonly others: number;
  readonly seconds: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

export async function load(
  groups: readonly RaftGroup[],
  options: LoadOptions,
): Promise<LoadResult> {
  const { inflight, ms, bytes, warmUp } = options;
  const command = Buffer.alloc(bytes, "c");
  const begin = performance.now() + warmUp;
  const end = begin + ms;
  const times: number[] = [];
  let others = 0;
  const client = async (group: RaftGroup): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      const sent = now;
      const answer = await group.propose(command);
      now = performance.now();
      if (answer.type !== "committed") others++;
      else if (now >= begin && now < end) times.push(now - sent);
    }
  };
  const clients = groups.flatMap((group) => Array.from({ length: inflight }, () => client(group)));
  await Promise.all(clients);
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return {
    commits: times.length,
    others,
    seconds: ms / 1000,
    p50: at(0.5),
    p99: at(0.99),
    longest: at(1),
  };
}
