const MENTION = /\[?(?:v3:)?MQTT-[\d.-]*\d\]?/g;
const OF_V5 = /^\[MQTT-(\d+\.\d+\.\d+-\d+)\]$/;
/** Not stricter: 3.1.1 itself has an id that is written otherwise, MQTT-3-8.3-4. */
const OF_V3 = /^\[v3:MQTT-\d[\d.-]*-\d+\]$/;

export interface Citations {
  /** Ids of MQTT 5.0 without `MQTT-`, each once. */
  readonly ids: readonly string[];
  /** What looks like an id, but is written otherwise than CONTRIBUTING.md says. */
  readonly malformed: readonly string[];
}

/** The statements that a text cites: `[MQTT-3.1.0-1]`, and for MQTT 3.1.1 `[v3:MQTT-3.1.0-2]`. */
export function citations(text: string): Citations {
  const ids = new Set<string>();
  const malformed: string[] = [];
  for (const [mention] of text.matchAll(MENTION)) {
    const id = OF_V5.exec(mention)?.[1];
    if (id !== undefined) ids.add(id);
    else if (!OF_V3.test(mention)) malformed.push(mention);
  }
  return { ids: [...ids], malformed };
}

/** A test's name without what it cites. */
export function withoutCitations(name: string): string {
  return name
    .replaceAll(/\[(?:v3:)?MQTT-[\d.-]*\d\]/g, "")
    .replaceAll(/ +/g, " ")
    .trim();
}
