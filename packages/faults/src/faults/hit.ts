import { setTimeout as pause } from "node:timers/promises";
import { randomInt } from "@canopy/base";
import type { TargetProcess } from "../targets/target.ts";
import { type Done, type Fault, type FaultContext, fleeFrom } from "./fault.ts";
import { judges, stallsSince, works } from "./measuring.ts";
import type { Choice } from "./victims.ts";

/** How long a killed process stays away at most, ms. */
const AWAY = 1500;
/** The same of one that stands still or is cut off, beyond the lease. */
const BEYOND = 1500;

/** Something is done to a process; the answer says when it began to be undone. */
type Deed = (context: FaultContext, victim: TargetProcess) => Promise<number>;

function fault(name: string, choice: Choice, deed: Deed, waitsForLease: boolean): Fault {
  return {
    name: `${name} ${choice.name}`,
    suits: (controls) => choice.suits(controls),
    run: async (context): Promise<Done> => {
      const { controls, now } = context;
      const victim = await choice.choose(controls, context.random);
      const from = now();
      const back = await deed(context, victim);
      await works(context, now());
      const lease = waitsForLease ? controls.target.lease : 0;
      const judge = judges[choice.role];
      const measures = judge(stallsSince(context, from), lease, stallsSince(context, back));
      return { victim: victim.name, measures };
    },
  };
}

/** kill -9, and a start some time later. */
export const kill = (choice: Choice): Fault => fault("kill", choice, killed, false);

async function killed(context: FaultContext, victim: TargetProcess): Promise<number> {
  const { controls, random, now } = context;
  const ended = controls.end(victim, "SIGKILL");
  fleeFrom(victim, context);
  await ended;
  await pause(randomInt(random, AWAY));
  await controls.start(victim);
  return now();
}

/** SIGSTOP for longer than the lease. */
export const stop = (choice: Choice): Fault => fault("pause", choice, paused, true);

async function paused(context: FaultContext, victim: TargetProcess): Promise<number> {
  const { controls, random, now } = context;
  controls.pause(victim);
  fleeFrom(victim, context);
  await pause(controls.target.lease + randomInt(random, BEYOND));
  controls.resume(victim);
  return now();
}

/** Cut off from all others for longer than the lease. */
export const cutOff = (choice: Choice): Fault => ({
  ...fault("cut off", choice, isolated, false),
  suits: (controls) => choice.suits(controls) && controls.target.isolate !== undefined,
});

async function isolated(context: FaultContext, victim: TargetProcess): Promise<number> {
  const { controls, random, now } = context;
  const heal = await controls.isolate(victim);
  await pause(controls.target.lease + randomInt(random, BEYOND));
  heal();
  return now();
}
