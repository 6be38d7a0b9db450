/**
 * Errors across the wire. A typed error of a port leaves as the nearest gRPC status, which any
 * client understands, with its class and code in the trailers, from which ours makes the same error.
 */
import { ControlError, type ControlErrorCode } from "@canopy/control";
import { SessionError, type SessionErrorCode } from "@canopy/session";
import { StoreError, type StoreErrorCode } from "@canopy/store";
import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { RpcError, type RpcErrorCode } from "./errors.ts";

const CONTROL = {
  "not-leader": Status.FAILED_PRECONDITION,
  ended: Status.FAILED_PRECONDITION,
  unavailable: Status.UNAVAILABLE,
  behind: Status.FAILED_PRECONDITION,
  indeterminate: Status.UNKNOWN,
  refused: Status.FAILED_PRECONDITION,
  closed: Status.UNAVAILABLE,
} as const satisfies Record<ControlErrorCode, Status>;

const SESSION = {
  stale: Status.FAILED_PRECONDITION,
  "taken-over": Status.ABORTED,
  unavailable: Status.UNAVAILABLE,
  "not-leader": Status.FAILED_PRECONDITION,
  indeterminate: Status.UNKNOWN,
  overloaded: Status.RESOURCE_EXHAUSTED,
  closed: Status.UNAVAILABLE,
} as const satisfies Record<SessionErrorCode, Status>;

const STORE = {
  "stale-epoch": Status.FAILED_PRECONDITION,
  "not-owner": Status.FAILED_PRECONDITION,
  unavailable: Status.UNAVAILABLE,
  full: Status.RESOURCE_EXHAUSTED,
  corrupt: Status.DATA_LOSS,
  closed: Status.UNAVAILABLE,
  invalid: Status.INVALID_ARGUMENT,
} as const satisfies Record<StoreErrorCode, Status>;

const RPC = {
  unavailable: Status.UNAVAILABLE,
  deadline: Status.DEADLINE_EXCEEDED,
  cancelled: Status.CANCELLED,
  unimplemented: Status.UNIMPLEMENTED,
  denied: Status.PERMISSION_DENIED,
  internal: Status.INTERNAL,
} as const satisfies Record<RpcErrorCode, Status>;

/** Trailers: the error's class, its code, and the node that leads. */
const KIND = "canopy-error";
const CODE = "canopy-code";
const LEADER = "canopy-leader";

/** What a server ends a call with. An error without a type says nothing of what is inside. */
export function statusOf(error: unknown): StatusObject {
  const metadata = new Metadata();
  if (error instanceof SessionError) {
    setLeader(metadata, error.leader);
    return typed(metadata, "session", error, SESSION[error.code]);
  }
  if (error instanceof ControlError) {
    setLeader(metadata, error.leader);
    return typed(metadata, "control", error, CONTROL[error.code]);
  }
  if (error instanceof StoreError) return typed(metadata, "store", error, STORE[error.code]);
  if (error instanceof RpcError) return typed(metadata, "rpc", error, RPC[error.code]);
  return { code: Status.INTERNAL, details: "internal error", metadata };
}

/** One that {@link statusOf} passes on; any other is a bug of the side that threw it. */
export function isTyped(error: unknown): boolean {
  return [SessionError, ControlError, StoreError, RpcError].some((type) => error instanceof type);
}

function typed(
  metadata: Metadata,
  kind: string,
  error: Error & { readonly code: string },
  code: Status,
): StatusObject {
  metadata.set(KIND, kind);
  metadata.set(CODE, error.code);
  return { code, details: error.message, metadata };
}

/**
 * The error that the other side threw, or an RpcError.
 * @param sent - whether the request may have left, for what this side found out by itself.
 */
export function errorOf(status: StatusObject, sent: boolean): Error {
  const { code, details, metadata } = status;
  const named = text(metadata, CODE);
  switch (text(metadata, KIND)) {
    case "session":
      if (isIn(SESSION, named))
        return new SessionError(named, details, { leader: leaderOf(metadata) });
      break;
    case "control":
      if (isIn(CONTROL, named))
        return new ControlError(named, details, { leader: leaderOf(metadata) });
      break;
    case "store":
      if (isIn(STORE, named)) return new StoreError(named, details);
      break;
    case "rpc":
      if (isIn(RPC, named)) return new RpcError(named, details, { sent });
      break;
    default:
  }
  return new RpcError(codeOf(code), details, { sent });
}

export function isStoreErrorCode(code: string): code is StoreErrorCode {
  return isIn(STORE, code);
}

function isIn<K extends string>(
  codes: Readonly<Record<K, Status>>,
  code: string | undefined,
): code is K {
  return code !== undefined && Object.hasOwn(codes, code);
}

function text(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return value === undefined ? undefined : value.toString();
}

/** A node's name may be anything, what is in trailers not. */
function setLeader(metadata: Metadata, leader: string | undefined): void {
  if (leader !== undefined) metadata.set(LEADER, encodeURIComponent(leader));
}

function leaderOf(metadata: Metadata): string | undefined {
  const leader = text(metadata, LEADER);
  return leader === undefined ? undefined : decodeURIComponent(leader);
}

function codeOf(status: Status): RpcErrorCode {
  switch (status) {
    case Status.UNAVAILABLE:
      return "unavailable";
    case Status.DEADLINE_EXCEEDED:
      return "deadline";
    case Status.CANCELLED:
      return "cancelled";
    case Status.UNIMPLEMENTED:
      return "unimplemented";
    case Status.UNAUTHENTICATED:
    case Status.PERMISSION_DENIED:
      return "denied";
    default:
      return "internal";
  }
}
