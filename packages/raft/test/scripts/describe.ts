// Messages, entries and configurations in the words of the traces.

import { decodeChange } from "../../src/core/membership.ts";
import { type Configuration, type Entry, EntryKind, type Message } from "../../src/index.ts";

export function message(m: Message): string {
  return `${m.from}→${m.to} ${m.type} t${m.term}${details(m)}`;
}

function details(m: Message): string {
  switch (m.type) {
    case "vote":
    case "preVote":
      return ` last ${m.lastIndex}@${m.lastTerm}${m.force ? " force" : ""}`;
    case "voteAnswer":
    case "preVoteAnswer":
      return m.granted ? " yes" : ` no, commit ${m.commit}@${m.commitTerm}`;
    case "append":
      return ` prev ${m.prevIndex}@${m.prevTerm} [${m.entries.map(entry).join(" ")}] commit ${m.commit}`;
    case "appendAnswer":
      if (!m.rejected) return ` match ${m.index}`;
      return ` no ${m.index}, hint ${m.hintIndex}@${m.hintTerm}`;
    case "heartbeat":
      return ` commit ${m.commit}${m.context > 0 ? ` round ${m.context}` : ""}`;
    case "heartbeatAnswer":
      return m.context > 0 ? ` round ${m.context}` : "";
    case "snapshot":
      return ` ${m.snapshot.index}@${m.snapshot.term} ${configuration(m.snapshot.configuration)}`;
    case "readIndexAnswer":
      return ` index ${m.index}`;
    case "readIndex":
    case "timeoutNow":
      return "";
  }
}

export function entry(e: Entry): string {
  return `${e.index}@${e.term}${content(e)}`;
}

function content(e: Entry): string {
  if (e.kind === EntryKind.Empty) return "";
  if (e.kind === EntryKind.Command) return `:${Buffer.from(e.data).toString()}`;
  const { changes } = decodeChange(e.data);
  const words = changes.map((change) => `${change.type}-${change.id}`);
  return `:${words.length === 0 ? "leave" : words.join(",")}`;
}

export function configuration(c: Configuration): string {
  const parts = [`voters ${c.voters.join(",")}`];
  if (c.outgoing.length > 0) parts.push(`outgoing ${c.outgoing.join(",")}`);
  if (c.learners.length > 0) parts.push(`learners ${c.learners.join(",")}`);
  if (c.learnersNext.length > 0) parts.push(`next ${c.learnersNext.join(",")}`);
  return parts.join(" ");
}
