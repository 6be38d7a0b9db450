export type * from "./admin.ts";
export { missingOwners, nextMove, type Placement } from "./assign.ts";
export type * from "./change.ts";
export type { Assignment, Command, CommandType, Founder } from "./commands.ts";
export { decodeCommand } from "./decode.ts";
export { encodeCommand } from "./encode.ts";
export {
  type GroupMember,
  type GroupMembers,
  type MemberStep,
  nextMemberStep,
  type StepOptions,
} from "./group-members.ts";
export { groupsOf, nodesOf, shardsOf } from "./overview.ts";
export type * from "./port.ts";
export { ControlError } from "./port.ts";
export { SnapshotReader } from "./restore.ts";
export {
  type Applied,
  ControlState,
  type ReadonlyView,
  type Refused,
  type Result,
  type Results,
} from "./state.ts";
export { ClusterView, type ViewListener } from "./view.ts";
