/** Of text in one message, about: of long lists each message is done with before the next one is made. */
const PART_CHARACTERS: number = 32 << 10;
/** What an item costs beside its text. */
const ITEM_CHARACTERS = 8;

/** One after the other, in messages' lengths; of an empty list one empty part. */
export function* inParts<T>(
  items: readonly T[],
  length: (item: T) => number,
): Generator<T[], undefined> {
  let part: T[] = [];
  let size = 0;
  for (const item of items) {
    part.push(item);
    size += length(item) + ITEM_CHARACTERS;
    if (size < PART_CHARACTERS) continue;
    yield part;
    part = [];
    size = 0;
  }
  if (part.length > 0 || items.length === 0) yield part;
  return undefined;
}
