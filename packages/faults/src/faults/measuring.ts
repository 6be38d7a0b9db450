import { setTimeout as pause } from "node:timers/promises";
import type { FaultContext, Measure, Probes, Stalls } from "./fault.ts";

/** How long it is waited until everything works again, ms. */
const PATIENCE = 60_000;
const BEAT = 20;

/** Limits of the issue, ms. */
const SESSION = 1000;
const LEADER = 3000;
const OWNER = 5000;

/** Settles when publishing and connecting work, with what was begun after this moment. */
export async function works({ probes, now }: FaultContext, from: number): Promise<void> {
  const end = now() + PATIENCE;
  for (;;) {
    const failing = Object.entries(probes).filter(([, probe]) => !probe.worksSince(from));
    if (failing.length === 0) return;
    if (now() > end) {
      const names = failing.map(([name]) => name).join(" and ");
      throw new Error(`${names} did not work again within ${PATIENCE / 1000} s`);
    }
    await pause(BEAT);
  }
}

/** The longest times for which something did not work, from this moment on. */
export function stallsSince({ probes }: FaultContext, from: number): Stalls {
  const longest = (name: keyof Probes) => probes[name].longestSince(from);
  return {
    publishing: longest("publishing"),
    connecting: longest("connecting"),
    staying: longest("staying"),
  };
}

/** By what kind of process was hit; `lease`: what has to end first, ms. */
export const judges = {
  gateway: ({ publishing, connecting, staying }: Stalls, lease: number): Measure[] => [
    { what: "durable sessions elsewhere", time: staying, limit: SESSION + lease },
    { what: "publishing", time: publishing },
    { what: "connecting", time: connecting },
  ],
  session: ({ publishing, connecting }: Stalls): Measure[] => [
    { what: "connecting", time: connecting, limit: LEADER },
    { what: "publishing", time: publishing },
  ],
  store: ({ publishing, connecting }: Stalls, _lease: number, back: Stalls): Measure[] => [
    { what: "publishing, since it is back", time: back.publishing, limit: OWNER },
    { what: "publishing", time: publishing },
    { what: "connecting", time: connecting },
  ],
  everything: ({ publishing, connecting }: Stalls, _lease: number, back: Stalls): Measure[] => [
    { what: "publishing, since it is back", time: back.publishing, limit: OWNER },
    { what: "connecting, since it is back", time: back.connecting, limit: OWNER },
    { what: "publishing", time: publishing },
    { what: "connecting", time: connecting },
  ],
};
