const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/**
 * Whether a valid filter (without "$share/…") matches a topic name, unit by unit and with no
 * normalization [MQTT-4.7.3-4]. For one filter; a FilterTrie answers for many.
 */
export function matchesFilter(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  // [MQTT-4.7.2-1]
  if (topic.charCodeAt(0) === DOLLAR && (first === HASH || first === PLUS)) return false;
  let f = 0;
  let t = 0;
  // Each turn consumes one level of both.
  for (;;) {
    const begin = filter.charCodeAt(f);
    if (begin === HASH) return true;
    if (begin === PLUS) {
      f++;
      t = levelEnd(topic, t);
    } else {
      const end = levelEnd(filter, f);
      const size = end - f;
      if (levelEnd(topic, t) !== t + size || !sameUnits(filter, f, topic, t, size)) return false;
      f = end;
      t += size;
    }
    if (t === topic.length) return f === filter.length || onlyHashLeft(filter, f);
    if (f === filter.length) return false;
    f++;
    t++;
  }
}

function levelEnd(text: string, from: number): number {
  let i = from;
  while (i < text.length && text.charCodeAt(i) !== SLASH) i++;
  return i;
}

function sameUnits(a: string, aAt: number, b: string, bAt: number, size: number): boolean {
  for (let i = 0; i < size; i++) {
    if (a.charCodeAt(aAt + i) !== b.charCodeAt(bAt + i)) return false;
  }
  return true;
}

/** "sport/#" also matches "sport": the multi-level wildcard includes the parent level. */
function onlyHashLeft(filter: string, at: number): boolean {
  return at + 2 === filter.length && filter.charCodeAt(at + 1) === HASH;
}
