export { Core } from "./core/core.ts";
export type * from "./core/port.ts";
export * from "./core/types.ts";
export type * from "./host/port.ts";
export * from "./storage/port.ts";
export type * from "./transport/port.ts";
