/** What a leader sends. Appends are made once per Ready, so that what gathered goes as one. */
import { totalBytes } from "./log.ts";
import type { Progress } from "./progress.ts";
import type { State } from "./state.ts";
import type { Message, ReplicaId } from "./types.ts";

export function flush(state: State): void {
  if (state.role !== "leader") return;
  if (state.reads.pending) {
    state.reads.beginRound();
    sendHeartbeats(state);
  }
  if (!state.dirty) return;
  state.dirty = false;
  for (const [to, progress] of state.progress) {
    while (!progress.paused && sendAppend(state, to, progress)) {
      // On until the window is full or nothing is left.
    }
  }
}

/** False if there was nothing to send. */
function sendAppend(state: State, to: ReplicaId, progress: Progress): boolean {
  const { id: from, term, log, options } = state;
  const prevIndex = progress.next - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevTerm === undefined) return sendSnapshot(state, to, progress);
  // With a full window it is only asked whether the last one arrived.
  const entries =
    progress.state === "replicate" && progress.inflight.full
      ? []
      : log.slice(progress.next, options.maxAppendBytes);
  const commit = log.committed;
  const worth = progress.nudged || progress.state === "probe" || commit > progress.wantsCommit;
  if (entries.length === 0 && !worth) return false;
  state.messages.push({ type: "append", from, to, term, prevIndex, prevTerm, entries, commit });
  progress.sent(entries.length, totalBytes(entries), commit);
  return entries.length > 0;
}

function sendSnapshot(state: State, to: ReplicaId, progress: Progress): boolean {
  // To one that does not answer it would be sent in vain.
  if (!progress.recentlyActive) return false;
  const { id: from, term, log } = state;
  const { snapshot } = log;
  progress.becomeSnapshot(snapshot.index);
  state.messages.push({ type: "snapshot", from, to, term, snapshot });
  return true;
}

export function sendHeartbeats(state: State): void {
  for (const [to, progress] of state.progress) state.messages.push(heartbeat(state, to, progress));
}

function heartbeat(state: State, to: ReplicaId, progress: Progress): Message {
  const { id: from, term, log, reads } = state;
  const commit = Math.min(progress.match, log.committed);
  return { type: "heartbeat", from, to, term, commit, context: reads.context };
}
