import { StoreError } from "@canopy/store";

/** Reason codes of an answer (MQTT 5, section 2.4). */
export const SUCCESS = 0x00;
export const NO_MATCHING_SUBSCRIBERS = 0x10;
export const UNSPECIFIED_ERROR = 0x80;
export const QUOTA_EXCEEDED = 0x97;

export function reasonOf(error: unknown): number {
  return error instanceof StoreError && error.code === "full" ? QUOTA_EXCEEDED : UNSPECIFIED_ERROR;
}

/** The error for callers that get a rejection where a publisher gets a reason code. */
export function errorOf(reasonCode: number): StoreError {
  return reasonCode === QUOTA_EXCEEDED
    ? new StoreError("full", "no room for the message")
    : new StoreError("unavailable", "the message could not be stored");
}
