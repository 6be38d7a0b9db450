import type { Digest } from "./digest.ts";
import { openedInOrder } from "./owners.ts";

/**
 * A durable session is there when its client comes back [MQTT-3.2.2-3], and one that begins clean is
 * not [MQTT-3.2.2-2]. No session of the suite expires while it is used.
 */
export function present({ clients }: Digest): string[] {
  const found: string[] = [];
  for (const [client, connections] of clients) {
    let wasOpen = false;
    for (const { isDurable, opened, connection, gateway } of openedInOrder(connections)) {
      const isPresent = opened?.isPresent ?? false;
      const where = `connection ${connection} of ${client} (${gateway})`;
      if (isDurable && wasOpen && !isPresent) found.push(`${where} did not find its session`);
      if (!isDurable && isPresent) found.push(`${where} found a session, and began clean`);
      wasOpen = true;
    }
  }
  return found;
}
