import { pick, type Random } from "@canopy/base";
import type { Controls } from "../targets/controls.ts";
import type { TargetProcess } from "../targets/target.ts";

/** Which process is to be hit. */
export interface Choice {
  readonly name: string;
  /** As whose end it is judged. */
  readonly role: "gateway" | "session" | "store" | "everything";
  suits(controls: Controls): boolean;
  choose(controls: Controls, random: Random): Promise<TargetProcess>;
}

const isCluster = ({ target }: Controls): boolean => target.processes.length > 1;

async function leads(controls: Controls, group: number): Promise<string> {
  const leaders = await controls.target.leaders?.();
  const name = leaders?.get(group);
  if (name === undefined) throw new Error(`group ${group} has no leader`);
  return name;
}

/** The node that leads this group, 0 being the control plane. */
export function leader(group: number): Choice {
  return {
    name: group === 0 ? "control leader" : `leader of group ${group}`,
    role: "session",
    suits: (controls) =>
      isCluster(controls) &&
      controls.target.leaders !== undefined &&
      group <= controls.target.groups,
    choose: async (controls) => controls.named(await leads(controls, group)),
  };
}

/** A node that leads as few groups as any. */
export const follower: Choice = {
  name: "session follower",
  role: "session",
  suits: (controls) => isCluster(controls) && controls.target.leaders !== undefined,
  choose: async (controls) => {
    const names = [...((await controls.target.leaders?.()) ?? new Map<number, string>()).values()];
    const led = ({ name }: TargetProcess) => names.filter((one) => one === name).length;
    const [least] = controls.ofRole("session").sort((a, b) => led(a) - led(b));
    if (least === undefined) throw new Error("there are no session nodes");
    return least;
  },
};

/** Any process of this role. */
function any(role: "gateway" | "session" | "store", name: string): Choice {
  return {
    name,
    role,
    suits: isCluster,
    choose: async (controls, random) => pick(random, controls.ofRole(role)),
  };
}

export const gateway: Choice = any("gateway", "gateway");
export const sessionNode: Choice = any("session", "session node");
export const storeOwner: Choice = any("store", "store owner");

/** The broker where it is one process. */
export const broker: Choice = {
  name: "broker",
  role: "everything",
  suits: (controls) => !isCluster(controls),
  choose: async (controls) => controls.named(controls.target.name),
};
