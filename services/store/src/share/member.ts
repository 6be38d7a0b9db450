import type { Dispatch, ShareMember } from "@canopy/store";
import type { GatewayLink } from "../link.ts";
import { hashBytes } from "./hash.ts";

/** A connected session in a shared group. */
export class Member {
  readonly link: GatewayLink;
  readonly number: number;
  readonly clientId: string;
  /** Of its client id: the same when it comes back, so that hashing leads to it again. */
  readonly hash: number;
  readonly qos: 0 | 1 | 2;
  readonly window: number;
  /** Deliveries of QoS ≥ 1 that it has not finished, over all shards. */
  outstanding = 0;
  /** When it was chosen last, counted in choices: the tie-breaker. */
  chosen = 0;
  /** Where the strategy keeps it. */
  slot = -1;
  isGone = false;

  constructor(link: GatewayLink, member: ShareMember) {
    this.link = link;
    this.number = member.member;
    this.clientId = member.clientId;
    this.hash = hashBytes(Buffer.from(member.clientId));
    this.qos = member.qos;
    this.window = Math.max(1, member.window);
  }

  get hasRoom(): boolean {
    // What goes at QoS 0 is never in flight.
    return this.outstanding < this.window;
  }

  give(dispatch: Dispatch): void {
    this.link.dispatch(dispatch);
  }
}
