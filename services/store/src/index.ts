export type { Counters } from "./counters.ts";
export { ownAsMember, type StoreLife } from "./member.ts";
export type {
  QueueLimits,
  SharedOptions,
  StoreLimits,
  StoreServiceOptions,
} from "./options.ts";
export { type Ownership, ownAlone, type ShardControl } from "./ownership.ts";
export { createStoreService, type StoreService } from "./service.ts";
