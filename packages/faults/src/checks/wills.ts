import { isWillTopic } from "../workload/topics.ts";
import type { Connection, Digest } from "./digest.ts";

/** How long after a DISCONNECT, or a lost connection, the broker may not have dealt with it, ms. */
const DEALING = 10_000;

type Outcome = "due" | "not due" | "either";

/**
 * Each will comes exactly once where it is due, and never where it is not [MQTT-3.1.2-8],
 * [MQTT-3.1.2-10]. What a client cannot know is either: a CONNECT without an answer, a DISCONNECT that
 * its gateway may not have dealt with before it was killed or paused, a return at about the time at
 * which the delay ran out.
 */
export function wills(digest: Digest): string[] {
  const counts = new Map<string, number>();
  for (const { topic, publisher, seq, isRepeated } of digest.received) {
    if (!isWillTopic(topic) || isRepeated) continue;
    const id = `${publisher}:${seq}`;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const found: string[] = [];
  for (const connection of digest.connections.values()) {
    const { will, client, gateway } = connection;
    if (will === undefined) continue;
    const count = counts.get(will.id) ?? 0;
    counts.delete(will.id);
    const outcome = outcomeOf(digest, connection);
    const isRight = count === (outcome === "due" ? 1 : 0) || (outcome === "either" && count === 1);
    const where = `connection ${connection.connection} of ${client} (${gateway})`;
    if (!isRight) found.push(`the will of ${where} is ${outcome} and came ${count} times`);
  }
  for (const [id, count] of counts) found.push(`a will ${id} of nobody came ${count} times`);
  return found;
}

function outcomeOf(digest: Digest, connection: Connection): Outcome {
  const { opened, leaving, closed, will } = connection;
  if (opened === undefined) return "either";
  if (leaving?.code === 0) return isTroubled(digest, connection, leaving.at) ? "either" : "not due";
  if (closed === undefined) return isTroubled(digest, connection, opened.at) ? "either" : "not due";
  if (will === undefined || will.delay === 0) return "due";
  return afterDelay(digest, connection, opened.at, closed.at, will.delay * 1000);
}

/** Whether it is certain that nobody, or somebody, came back to the session in time. */
function afterDelay(
  { clients }: Digest,
  { client, connection }: Connection,
  opened: number,
  closed: number,
  delay: number,
): Outcome {
  const later = (clients.get(client) ?? []).filter((other) => other.connection > connection);
  const came = later.find((other) => other.opened?.isPresent)?.opened?.at;
  if (came !== undefined && came - opened < delay) return "not due";
  const tried = later[0]?.connect.at ?? Number.POSITIVE_INFINITY;
  return tried > closed + delay + DEALING ? "due" : "either";
}

/** Something was done to its gateway about then. */
function isTroubled({ faults }: Digest, { gateway }: Connection, at: number): boolean {
  let begun = Number.NEGATIVE_INFINITY;
  for (const { process, phase, at: when } of faults) {
    if (process !== gateway) continue;
    if (phase === "begin") begun = when;
    else if (begun < at + DEALING && when > at - DEALING) return true;
  }
  const isOn = faults.findLast(({ process }) => process === gateway)?.phase === "begin";
  return isOn && begun < at + DEALING;
}
