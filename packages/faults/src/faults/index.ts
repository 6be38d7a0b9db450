import type { Fault } from "./fault.ts";
import { cutOff, kill, stop } from "./hit.ts";
import { everythingKilled, nothing, rollingRestart } from "./rolling.ts";
import { broker, follower, gateway, leader, sessionNode, storeOwner } from "./victims.ts";

const GROUPS = [0, 1, 2, 3, 4];

/** In the order in which a run goes through them, again and again. */
export const faults: readonly Fault[] = [
  kill(broker),
  stop(broker),
  kill(gateway),
  stop(gateway),
  ...GROUPS.map((group) => kill(leader(group))),
  kill(storeOwner),
  stop(storeOwner),
  stop(leader(0)),
  stop(leader(1)),
  kill(follower),
  stop(follower),
  kill(sessionNode),
  stop(sessionNode),
  cutOff(sessionNode),
  rollingRestart,
  everythingKilled,
  nothing,
];
