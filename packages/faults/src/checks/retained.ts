import { matchesFilter } from "@canopy/topic";
import type { Event, Received } from "../history/event.ts";
import { isRetainedTopic } from "../workload/topics.ts";
import type { Digest, Placed } from "./digest.ts";

/**
 * A retained value is never older than one that was read, or acknowledged to its writer, before the
 * reader subscribed; a reader gets one of each topic that has one, and never an older value behind a
 * newer one. A value that is replaced while it is to be sent may come as the live message that
 * replaced it.
 */
export function retained(digest: Digest): string[] {
  const found: string[] = [];
  for (const reading of digest.readings) {
    if (reading.phase !== "begin") continue;
    const floors = floorsAt(digest.events, reading.place, reading.filter);
    const end = digest.readings.find(
      ({ phase, connection }) => phase === "end" && connection === reading.connection,
    );
    const values = digest.received.filter(({ connection }) => connection === reading.connection);
    const who = `${reading.client} on connection ${reading.connection}`;
    for (const [topic, floor] of floors) {
      const ofTopic = values.filter((value) => value.topic === topic);
      found.push(...tooOld(ofTopic, floor).map((text) => `${who}: ${text}`));
      const count = ofTopic.filter(({ retain }) => retain).length;
      if (count > 1) found.push(`${who}: ${count} retained values of ${topic}`);
      if (end !== undefined && ofTopic.length === 0) found.push(`${who}: no value of ${topic}`);
    }
  }
  return found;
}

/** The least that a reader who subscribes at this place has to get, by topic. */
function floorsAt(events: readonly Event[], place: number, filter: string): Map<string, number> {
  const floors = new Map<string, number>();
  for (const event of events.slice(0, place)) {
    const isValue =
      event.kind === "value" ||
      event.kind === "received" ||
      (event.kind === "acknowledged" && event.code < 0x80);
    if (!isValue || !isRetainedTopic(event.topic) || !matchesFilter(filter, event.topic)) continue;
    floors.set(event.topic, Math.max(floors.get(event.topic) ?? 0, event.seq));
  }
  return floors;
}

function tooOld(values: readonly Placed<Received>[], floor: number): string[] {
  const found: string[] = [];
  let highest = floor;
  for (const { topic, seq, retain } of values) {
    if (seq < highest) {
      found.push(`${topic} is ${seq} (${retain ? "retained" : "live"}), it was ${highest} before`);
    }
    highest = Math.max(highest, seq);
  }
  return found;
}
