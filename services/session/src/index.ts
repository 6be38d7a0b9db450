export { LogError } from "./log/damage.ts";
export type { Durability } from "./log/log.ts";
export { stampRecord } from "./record-stamp.ts";
export {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "./service.ts";
