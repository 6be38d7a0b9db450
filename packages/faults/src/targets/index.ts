import { startLocalCluster } from "./cluster.ts";
import { startStandalone } from "./standalone.ts";
import type { Target } from "./target.ts";

type Start = (env?: Readonly<Record<string, string>>) => Promise<Target>;

/** Starts what is to be tried, with this in the environment of its processes. */
export const starters: Readonly<Record<"standalone" | "cluster", Start>> = {
  standalone: startStandalone,
  cluster: startLocalCluster,
};
