export { ControlClient, type ControlClientOptions } from "./control-client.ts";
export { ViewFollower, type ViewFollowerOptions } from "./control-follower.ts";
export { LeaseKeeper, type LeaseKeeperOptions, type LeaseOwner } from "./control-lease.ts";
