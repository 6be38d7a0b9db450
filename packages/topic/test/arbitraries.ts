import fc from "fast-check";

// Few and short levels, so that filters and topics often meet.
const level = fc.constantFrom("", "a", "b", "ab", "$", "$a", "é");

function joined(levels: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(levels, { minLength: 1, maxLength: 4 }).map((list) => list.join("/"));
}

export const anyTopic: fc.Arbitrary<string> = joined(level).filter((topic) => topic !== "");

export const anyFilter: fc.Arbitrary<string> = fc
  .tuple(joined(fc.oneof(level, level, fc.constant("+"))), fc.constantFrom("", "", "/#", "#"))
  .map(([levels, end]) => (end === "#" ? "#" : levels + end))
  .filter((filter) => filter !== "");

/** Section 4.7, written for the eye and not for speed. */
export function matchesByDefinition(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  return levelsMatch(filter.split("/"), topic.split("/"));
}

function levelsMatch(filter: string[], topic: string[]): boolean {
  const [wanted, ...filterRest] = filter;
  const [level, ...topicRest] = topic;
  if (wanted === "#") return true;
  if (wanted === undefined || level === undefined) return wanted === level;
  return (wanted === "+" || wanted === level) && levelsMatch(filterRest, topicRest);
}
