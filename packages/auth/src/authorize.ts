import type { Authorizer } from "./port.ts";

/** Every client may do everything. Rules about $SYS are the broker's, not an authorizer's. */
export const allowAll: Authorizer = {
  version: 0,
  publish: () => true,
  subscribe: () => true,
};
