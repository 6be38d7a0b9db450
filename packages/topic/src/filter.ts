import { countLevels, type StringError, topicStringError } from "./name.ts";

const SHARE = "$share";
const SHARE_PREFIX = `${SHARE}/`;

export type FilterError = StringError | "multi-level wildcard" | "single-level wildcard" | "share";

export interface ParsedFilter {
  readonly ok: true;
  /** The ShareName of a shared subscription. */
  readonly share: string | undefined;
  /** What topics are matched against: without "$share/{ShareName}/". */
  readonly filter: string;
  /** Without wildcards: it matches the topic of the same name and no other. */
  readonly exact: boolean;
  readonly levels: number;
}

export interface RefusedFilter {
  readonly ok: false;
  readonly reason: FilterError;
}

/** Parses the topic filter of a SUBSCRIBE or UNSUBSCRIBE. */
export function parseFilter(text: string): ParsedFilter | RefusedFilter {
  const error = topicStringError(text); // [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3]
  if (error !== undefined) return { ok: false, reason: error };
  const shared = text === SHARE || text.startsWith(SHARE_PREFIX); // [MQTT-4.8.2-1]
  return shared ? parseShared(text) : parsePlain(text, undefined);
}

/** Whether a valid filter is without wildcards. */
export function isExact(filter: string): boolean {
  return !filter.includes("+") && !filter.includes("#");
}

function parseShared(text: string): ParsedFilter | RefusedFilter {
  const nameEnd = text.indexOf("/", SHARE_PREFIX.length); // [MQTT-4.8.2-2] "/" ends the name
  const name = text.slice(SHARE_PREFIX.length, nameEnd);
  const filter = text.slice(nameEnd + 1);
  const malformed =
    nameEnd < 0 || // [MQTT-4.8.2-2] and must be there
    name === "" || // [MQTT-4.8.2-1] at least one character
    !isExact(name) || // [MQTT-4.8.2-2] neither "+" nor "#"
    filter === "" || // [MQTT-4.8.2-2] followed by a topic filter
    // which has the syntax of a non-shared one, and that can't begin like this.
    filter === SHARE ||
    filter.startsWith(SHARE_PREFIX);
  return malformed ? { ok: false, reason: "share" } : parsePlain(filter, name);
}

function parsePlain(filter: string, share: string | undefined): ParsedFilter | RefusedFilter {
  const exact = isExact(filter);
  if (!exact) {
    const reason = wildcardError(filter);
    if (reason !== undefined) return { ok: false, reason };
  }
  return { ok: true, share, filter, exact, levels: countLevels(filter) };
}

function wildcardError(filter: string): FilterError | undefined {
  const last = filter.length - 1;
  for (let i = 0; i <= last; i++) {
    const char = filter[i];
    if (char !== "+" && char !== "#") continue;
    const begins = i === 0 || filter[i - 1] === "/";
    // [MQTT-4.7.1-1] on its own or after a separator, and the last character
    if (char === "#" && !(begins && i === last)) return "multi-level wildcard";
    // [MQTT-4.7.1-2] an entire level
    const ends = i === last || filter[i + 1] === "/";
    if (char === "+" && !(begins && ends)) return "single-level wildcard";
  }
  return undefined;
}
