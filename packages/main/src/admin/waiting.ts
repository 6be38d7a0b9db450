import { setTimeout as pause } from "node:timers/promises";
import { type ClusterAdmin, ControlError, type NodeWish } from "@canopy/control";

/** Between two looks, ms. */
const LOOK = 500;

/** Settles when what was wished is so in all groups; rejects where that takes longer than `patience` ms. */
export async function settled(
  admin: ClusterAdmin,
  wished: NodeWish,
  patience: number,
): Promise<void> {
  const end = performance.now() + patience;
  for (;;) {
    const missing = await whatIsMissing(admin, wished);
    if (missing === undefined) return;
    if (performance.now() >= end) {
      throw new ControlError("indeterminate", `it goes on, but is not done yet: ${missing}`);
    }
    await pause(LOOK);
  }
}

/** Undefined where it is done. */
async function whatIsMissing(
  admin: ClusterAdmin,
  { name, wish }: NodeWish,
): Promise<string | undefined> {
  const node = (await admin.nodes()).find((one) => one.role === "session" && one.name === name);
  const groups = await admin.groups();
  const having = groups.filter(({ replicas }) =>
    replicas.some((one) => one.voter && one.replica === node?.replica),
  );
  switch (wish) {
    case "remove":
      return node?.state === "left" ? undefined : `${name} is ${node?.state}`;
    case "add":
    case "replace": {
      if (node?.state !== "member") return `${name} has not come yet`;
      const missing = groups.length - having.length;
      return missing === 0 ? undefined : `${missing} groups do not have its voter yet`;
    }
    case "drain": {
      const led = groups.filter(({ leader }) => leader === name || leader === "");
      const numbers = led.map(({ group }) => group).join(" ");
      return led.length === 0 ? undefined : `groups without another leader: ${numbers}`;
    }
    case "resume":
      return undefined;
  }
}
