import type { Digest } from "./digest.ts";
import { isOld, messageOf, nameOf, plain } from "./receptions.ts";

/** Nobody gets what nobody has sent. */
export function unknown(digest: Digest): string[] {
  return plain(digest)
    .filter((event) => !isOld(digest, event) && messageOf(digest, event) === undefined)
    .map((event) => `${event.client} got ${nameOf(event)}, which nobody sent`);
}
