/** Who has a session: gateways that may, and the opening of a session by one. */
import { opened } from "./describe.ts";
import { end, isExpired, isWillDue, publishWill } from "./ending.ts";
import type { Opened, OpenRequest } from "./port.ts";
import type { Session } from "./session.ts";
import type { Tables } from "./tables.ts";

export type OpenResult =
  | { readonly status: "opened"; readonly opened: Opened }
  /** A gateway has it: it has to release it first. */
  | { readonly status: "held" }
  /** The gateway is gone, or not known. */
  | { readonly status: "refused" };

export function open(tables: Tables, request: OpenRequest): OpenResult {
  if (!tables.gateways.has(request.gateway)) return { status: "refused" };
  const found = tables.clients.get(request.clientId);
  if (found !== undefined && found.gateway !== 0) {
    if (!isRepeated(found, request)) return { status: "held" };
    return { status: "opened", opened: opened(found, found.epoch > 1) };
  }
  const kept = found !== undefined && continues(tables, found, request.cleanStart);
  const session = kept ? found : tables.create(request.clientId, request.expiry > 0);
  tables.change(session);
  if (kept) endWait(tables, session);
  session.epoch++;
  session.expiry = request.expiry;
  session.user = request.user;
  session.will = request.will;
  session.requestId = request.requestId;
  tables.setGateway(session, request.gateway);
  return { status: "opened", opened: opened(session, kept) };
}

/** The answer to this very request was lost: only the first opening of an incarnation is a new session's. */
function isRepeated(session: Session, { gateway, requestId }: OpenRequest): boolean {
  return session.gateway === gateway && requestId !== 0 && session.requestId === requestId;
}

/** Whether the session goes on [MQTT-3.1.2-5]; if not, it is ended here. */
function continues(tables: Tables, session: Session, cleanStart: boolean): boolean {
  // [MQTT-3.1.2-4] Clean Start discards it. One whose time is over may still be here, because its
  // end is a command of its own.
  if (!cleanStart && !isExpired(tables, session)) return true;
  end(tables, session);
  return false;
}

/** A will whose delay is over is published though its command has not come; another is dropped. */
function endWait(tables: Tables, session: Session): void {
  // [MQTT-3.1.3-9] No will if the session is continued before the delay has passed.
  if (isWillDue(tables, session)) publishWill(tables, session);
  session.will = undefined;
  tables.setDeadlines(session, 0, 0);
}
