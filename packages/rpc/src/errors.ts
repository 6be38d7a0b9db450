/**
 * Errors across the wire. A typed error of a port leaves as the nearest gRPC status, which any
 * client understands, with its class and code in the trailers, from which ours makes the same error.
 */
import { CanopyError } from "@canopy/base";
import { SessionError, type SessionErrorCode } from "@canopy/session";
import { StoreError, type StoreErrorCode } from "@canopy/store";
import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";

export type RpcErrorCode =
  /** The other side can't be reached, does not answer any more, or is being stopped. */
  | "unavailable"
  /** No answer came in time. */
  | "deadline"
  /** This side gave it up. */
  | "cancelled"
  /** The other side knows no such service or method: it is older or newer. */
  | "unimplemented"
  /** The other side does not know who this is, or does not let it do that. */
  | "denied"
  /** The other side broke, or one of the two broke the contract. */
  | "internal";

/** What gRPC itself says, where no error of a port does. */
export class RpcError extends CanopyError {
  declare readonly code: RpcErrorCode;
  /** Whether the request may have reached the other side. */
  readonly sent: boolean;

  constructor(
    code: RpcErrorCode,
    message: string,
    options: ErrorOptions & { readonly sent?: boolean } = {},
  ) {
    super(code, message, options);
    this.sent = options.sent ?? false;
  }
}

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
    if (error.leader !== undefined) metadata.set(LEADER, encodeURIComponent(error.leader));
    return typed(metadata, "session", error, SESSION[error.code]);
  }
  if (error instanceof StoreError) return typed(metadata, "store", error, STORE[error.code]);
  if (error instanceof RpcError) return typed(metadata, "rpc", error, RPC[error.code]);
  return { code: Status.INTERNAL, details: "internal error", metadata };
}

/** One that {@link statusOf} passes on; any other is a bug of the side that threw it. */
export function isTyped(error: unknown): boolean {
  return error instanceof SessionError || error instanceof StoreError || error instanceof RpcError;
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
      if (isIn(SESSION, named)) {
        const leader = text(metadata, LEADER);
        return new SessionError(named, details, {
          leader: leader === undefined ? undefined : decodeURIComponent(leader),
        });
      }
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

/**
 * What a failed command of the Sessions port means: typed errors stay; where the request can't have
 * arrived nothing was done (`unavailable`); else it may have been done (`indeterminate`).
 */
export function asSessionError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const sent = error instanceof RpcError ? error.sent : true;
  return new SessionError(sent ? "indeterminate" : "unavailable", messageOf(error), {
    cause: error,
  });
}

/** What a failed request of the Shards port means: typed errors stay, all else is `unavailable`. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", messageOf(error), { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
