export { Alone } from "./alone.ts";
export {
  type ControlService,
  type ControlServiceOptions,
  createControlService,
} from "./control/service.ts";
export { SessionNode, type SessionNodeOptions } from "./node.ts";
export { stampRecord } from "./record-stamp.ts";
export {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "./service.ts";
export type { Cluster } from "./stores.ts";
