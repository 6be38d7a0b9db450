import type { Connection, Digest } from "./digest.ts";
import { nameOf } from "./receptions.ts";

/**
 * At most one owner per client id at any time: when a CONNACK has come on a later connection, nothing
 * that is sent on an earlier one is accepted any more, and in the end one connection is open.
 */
export function owners(digest: Digest): string[] {
  const found: string[] = [];
  /** Of each connection the one that took over from it. */
  const successors = new Map<number, Connection>();
  for (const [client, connections] of digest.clients) {
    const inOrder = openedInOrder(connections);
    inOrder.forEach(({ connection }, i) => {
      const next = inOrder[i + 1];
      if (next !== undefined) successors.set(connection, next);
    });
    const open = inOrder.filter(({ closed }) => closed === undefined);
    if (open.length > 1) {
      const names = open.map(({ connection, gateway }) => `${connection} (${gateway})`).join(", ");
      found.push(`${client} has ${open.length} open connections: ${names}`);
    }
  }
  for (const lane of digest.lanes.values()) {
    for (const message of lane.values()) {
      const { acknowledged, sends } = message;
      if (acknowledged === undefined) continue;
      const { connection } = acknowledged;
      const sent = sends.findLast((send) => send.connection === connection)?.place ?? 0;
      const next = successors.get(connection);
      if (next?.opened === undefined || sent < next.opened.place) continue;
      const open = `connection ${next.connection} (${next.gateway}) was open`;
      found.push(`${nameOf(message)} was acknowledged on connection ${connection}, when ${open}`);
    }
  }
  return found;
}

/** Those with a CONNACK, in the order in which it came. */
export function openedInOrder(connections: readonly Connection[]): Connection[] {
  return connections
    .filter(({ opened }) => opened !== undefined)
    .sort((a, b) => (a.opened?.place ?? 0) - (b.opened?.place ?? 0));
}
