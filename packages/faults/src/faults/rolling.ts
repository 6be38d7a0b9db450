import type { Done, Fault, FaultContext } from "./fault.ts";
import { fleeFrom } from "./fault.ts";
import { stallsSince, works } from "./measuring.ts";

/** Each process is asked to stop and started again, one after the other: session, store, gateway. */
export const rollingRestart: Fault = {
  name: "rolling restart",
  suits: () => true,
  run: async (context: FaultContext): Promise<Done> => {
    const { controls, now } = context;
    const roles = ["session", "store", "gateway"] as const;
    const victims = roles.flatMap((role) => controls.ofRole(role));
    const from = now();
    for (const victim of victims) {
      const ended = controls.end(victim, "SIGTERM");
      fleeFrom(victim, context);
      await ended;
      await controls.start(victim);
      await works(context, now());
    }
    const { publishing, connecting, staying } = stallsSince(context, from);
    const measures = [
      { what: "publishing", time: publishing },
      { what: "connecting", time: connecting },
      { what: "durable sessions elsewhere", time: staying },
    ];
    return { victim: `${victims.length} processes`, measures };
  },
};

/** All at once, as a loss of power does. */
export const everythingKilled: Fault = {
  name: "kill everything",
  suits: ({ target }) => target.processes.length > 1,
  run: async (context: FaultContext): Promise<Done> => {
    const { controls, now } = context;
    const victims = controls.target.processes;
    await Promise.all(victims.map((victim) => controls.end(victim, "SIGKILL")));
    await Promise.all(victims.map((victim) => controls.start(victim)));
    const back = now();
    await works(context, back);
    const { publishing, connecting } = stallsSince(context, back);
    const measures = [
      { what: "publishing, since all are back", time: publishing },
      { what: "connecting, since all are back", time: connecting },
    ];
    return { victim: `${victims.length} processes`, measures };
  },
};

/** Connections break by themselves, and sessions are taken over, as in every other round. */
export const nothing: Fault = {
  name: "none",
  suits: () => true,
  run: async (context: FaultContext): Promise<Done> => {
    const { now } = context;
    const from = now();
    await works(context, from);
    const { publishing, connecting } = stallsSince(context, from);
    const measures = [
      { what: "publishing", time: publishing },
      { what: "connecting", time: connecting },
    ];
    return { victim: "nobody", measures };
  },
};
