/** Subscription options in one small integer, as they are kept and encoded. */
import { DecodeError } from "@canopy/base";
import type { SubscriptionOptions } from "./port.ts";

export type PackedOptions = number;

const NO_LOCAL = 4;
const RETAIN_AS_PUBLISHED = 8;
const RETAIN_HANDLING_SHIFT = 4;
/** Bits from here on are free for the encodings that pack more. */
export const OPTION_BITS = 6;

type Options = Omit<SubscriptionOptions, "subscriptionIdentifier">;

export function packOptions(options: Options): PackedOptions {
  return (
    options.qos |
    (options.noLocal ? NO_LOCAL : 0) |
    (options.retainAsPublished ? RETAIN_AS_PUBLISHED : 0) |
    (options.retainHandling << RETAIN_HANDLING_SHIFT)
  );
}

// One by one: an object of them would be made for every subscription, to be copied and thrown away.

export function qosOf(packed: PackedOptions): Options["qos"] {
  return readThree(packed & 3);
}

export function isNoLocal(packed: PackedOptions): boolean {
  return (packed & NO_LOCAL) !== 0;
}

export function isRetainAsPublished(packed: PackedOptions): boolean {
  return (packed & RETAIN_AS_PUBLISHED) !== 0;
}

export function retainHandlingOf(packed: PackedOptions): Options["retainHandling"] {
  return readThree((packed >> RETAIN_HANDLING_SHIFT) & 3);
}

function readThree(value: number): 0 | 1 | 2 {
  if (value > 2) throw new DecodeError("subscription options out of range");
  return value as 0 | 1 | 2;
}
