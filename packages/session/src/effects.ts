/** What follows from a command outside of the state. Nothing of it is needed to apply the next. */
import type { SessionKey } from "./commands.ts";

/** A will that is to be published. It is kept until it is done, whatever becomes of its session. */
export interface PendingWill extends SessionKey {
  readonly record: Uint8Array;
  /** Message Expiry Interval in seconds. */
  readonly expiry: number | undefined;
}

/** Called while a command is applied; an implementation only takes notes. */
export interface EffectSink {
  /** A filter has its first, or no more, session with a queue for it. */
  route(filter: string, add: boolean): void;
  /** When that session wants attention by the group's clock; 0 = not any more. */
  deadline(incarnation: number, at: number): void;
  /** No gateway holds this client's session any more. */
  released(clientId: string): void;
  willPending(will: PendingWill): void;
  /** The session is no more, and the stores may hold something for it. */
  ended(incarnation: number): void;
}

/** For a state that only has to catch up: what its effects were follows from where it ends. */
export const noEffects: EffectSink = {
  route: () => {},
  deadline: () => {},
  released: () => {},
  willPending: () => {},
  ended: () => {},
};
