import type { Event } from "../history/event.ts";
import { type Digest, digest } from "./digest.ts";
import { disorder } from "./disorder.ts";
import { lost } from "./lost.ts";
import { owners } from "./owners.ts";
import { present } from "./present.ts";
import { retained } from "./retained.ts";
import { shared } from "./shared.ts";
import { twice } from "./twice.ts";
import { unknown } from "./unknown.ts";
import { violations } from "./violations.ts";
import { wills } from "./wills.ts";

/** What is wrong in a history, in words; nothing where it is right. */
type Check = (digest: Digest) => string[];

/** By what they promise. */
const checks: Readonly<Record<string, Check>> = {
  "nothing acknowledged is lost": lost,
  "no QoS 2 message twice": twice,
  "order per publisher and topic": disorder,
  "nothing that nobody sent": unknown,
  "one owner per client id": owners,
  "sessions are there": present,
  "each will once": wills,
  "no retained value older than one before": retained,
  "shared groups": shared,
  "the protocol": violations,
};

/** What is wrong, by the promise that it breaks; a history must be settled for it to be final. */
export function problems(events: readonly Event[]): Map<string, string[]> {
  const digested = digest(events);
  const found = new Map<string, string[]>();
  for (const [promise, check] of Object.entries(checks)) {
    const wrong = check(digested);
    if (wrong.length > 0) found.set(promise, wrong);
  }
  return found;
}
