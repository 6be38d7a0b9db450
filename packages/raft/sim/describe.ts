/** Messages as a reader of a trace wants them. */
import type { Entry, Message } from "../src/core/types.ts";
import type { Batch, Beat, Hello } from "../src/transport/port.ts";

const BEATS = ["heartbeat", "heartbeatAnswer", "sleep", "removed", "sleepAnswer"];

export function describeBatch(batch: Batch): string {
  const parts = [
    ...batch.envelopes.map(({ group, message }) => `g${group} ${describeMessage(message)}`),
    ...batch.beats.map((beat) => `g${beat.group} ${describeBeat(beat)}`),
    ...batch.hellos.map(describeHello),
  ];
  return parts.join("; ");
}

function describeHello(hello: Hello): string {
  if ("token" in hello) return `${hello.type} ${hello.token}`;
  if (hello.type === "started") return hello.type;
  if (hello.type === "absent") return `g${hello.group} absent`;
  const from = hello.type === "founding" ? ` from ${hello.from}` : "";
  const members = Array.from(hello.members, ([id, { name, disk }]) => `${id}@${name}/${disk}`);
  return `g${hello.group} ${hello.type}${from}: ${members.join(" ")}`;
}

function describeBeat({ kind, from, to, term, commit, context }: Beat): string {
  return `${BEATS[kind]} ${from}→${to} term ${term} commit ${commit} context ${context}`;
}

function describeMessage(message: Message): string {
  const head = `${message.type} ${message.from}→${message.to} term ${message.term}`;
  switch (message.type) {
    case "vote":
    case "preVote":
      return `${head} last ${message.lastIndex}:${message.lastTerm}${message.force ? " forced" : ""}`;
    case "voteAnswer":
    case "preVoteAnswer":
      return `${head} ${message.granted ? "granted" : "refused"}`;
    case "append": {
      const { prevIndex, prevTerm, entries, commit } = message;
      return `${head} after ${prevIndex}:${prevTerm} ${describeEntries(entries)} commit ${commit}`;
    }
    case "appendAnswer":
      return message.rejected
        ? `${head} rejects ${message.index}, hint ${message.hintIndex}:${message.hintTerm}`
        : `${head} accepts up to ${message.index}`;
    case "heartbeat":
      return `${head} commit ${message.commit} context ${message.context}`;
    case "heartbeatAnswer":
    case "readIndex":
      return `${head} context ${message.context}`;
    case "readIndexAnswer":
      return `${head} context ${message.context} index ${message.index}`;
    case "snapshot":
      return `${head} ${message.snapshot.index}:${message.snapshot.term}`;
    case "timeoutNow":
      return head;
  }
}

export function describeEntries(entries: readonly Entry[]): string {
  const shown = entries.map(({ index, term, kind }) => `${index}:${term}${["e", "", "c"][kind]}`);
  return `[${shown.slice(0, 8).join(" ")}${shown.length > 8 ? ` … ${shown.at(-1)}` : ""}]`;
}
