/** The number of single-character edits between two texts. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const removed = (above[column] ?? 0) + 1;
      const added = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, added));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf(".") + 1);
}

/**
 * The known word that somebody who wrote `word` most likely meant, if one is near enough. Case does
 * not count, and a setting's name without its section is near to the whole key.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const given = word.toLowerCase();
  const allowedEdits = Math.max(2, Math.floor(word.length / 4));
  let best: string | undefined;
  let bestEdits = allowedEdits + 1;
  for (const candidate of known) {
    const full = candidate.toLowerCase();
    const edits = Math.min(
      distance(given, full),
      distance(lastPart(given), lastPart(full)) + (given.includes(".") ? 1 : 0),
    );
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** The end of an error message about an unknown word: "; did you mean X?" or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? "" : `; did you mean ${found}?`;
}
