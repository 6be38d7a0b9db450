/** What gRPC itself has to say, and what that means to each port. */
import { CanopyError } from "@canopy/base";
import { ControlError } from "@canopy/control";
import { SessionError } from "@canopy/session";
import { StoreError } from "@canopy/store";

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

/**
 * What a failed command of the Sessions port means: typed errors stay; where the request can't have
 * arrived nothing was done (`unavailable`); else it may have been done (`indeterminate`).
 */
export function asSessionError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const code = wasSent(error) ? "indeterminate" : "unavailable";
  return new SessionError(code, messageOf(error), { cause: error });
}

/** The same of the Control port. */
export function asControlError(error: unknown): ControlError {
  if (error instanceof ControlError) return error;
  const code = wasSent(error) ? "indeterminate" : "unavailable";
  return new ControlError(code, messageOf(error), { cause: error });
}

/** What a failed request of the Shards port means: typed errors stay, all else is `unavailable`. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", messageOf(error), { cause: error });
}

/** What is no word of ours may have come at any time. */
function wasSent(error: unknown): boolean {
  return error instanceof RpcError ? error.sent : true;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
