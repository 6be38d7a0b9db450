import type { Digest } from "./digest.ts";

/** What a client saw that no server may do. */
export function violations({ events }: Digest): string[] {
  return events
    .filter((event) => event.kind === "violation")
    .map(({ client, text }) => `${client}: ${text}`);
}
