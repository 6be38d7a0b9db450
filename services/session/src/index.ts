export { stampRecord } from "./record-stamp.ts";
export {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "./service.ts";
