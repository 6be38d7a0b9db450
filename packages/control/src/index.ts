export type * from "./change.ts";
export type * from "./port.ts";
export { ControlError } from "./port.ts";
export { ClusterView, type ViewListener } from "./view.ts";
