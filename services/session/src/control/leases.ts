/** Who lives, as far as one leader has heard since it leads. Times are of its monotonic clock, in ms. */
import type { Incarnation, LeaseInfo, Member, MemberKind, Version } from "@canopy/control";

export interface LeaseOptions {
  /** How long a lease lasts; 0: for ever, and no stream counts either. */
  readonly lease: number;
  /** How long a gateway may be without a stream to the leader. */
  readonly absence: number;
}

/** How long an accusation stands, ms: until it is repeated, and no longer than a lease can do without. */
const ACCUSED = 1_500;

interface Lease {
  readonly kind: MemberKind;
  expires: number;
  acknowledged: Version;
  /** Streams of this member to this leader, and since when there is none any more. */
  streams: number;
  absentSince: number | undefined;
  /** Until then it is said not to answer claims. */
  accusedUntil: number;
}

export class Leases {
  readonly #options: LeaseOptions;
  readonly #held = new Map<Incarnation, Lease>();
  /** Until then everybody has time to reach the leader: by neither rule a lease ends. */
  #firstEnd: number;

  constructor(options: LeaseOptions, now: number) {
    this.#options = options;
    this.#firstEnd = now + options.lease;
  }

  /** The leader itself could not hear anybody until now. */
  pardon(now: number): void {
    this.#firstEnd = now + this.#options.lease;
  }

  get endless(): boolean {
    return this.#options.lease === 0;
  }

  /** Makes those of members that are new, with a full term, and drops those of the others. */
  follow(members: Iterable<Member>, now: number): void {
    const gone = new Set(this.#held.keys());
    for (const { kind, incarnation } of members) {
      gone.delete(incarnation);
      if (this.#held.has(incarnation)) continue;
      this.#held.set(incarnation, {
        kind,
        expires: this.#expiry(now),
        // It does nothing before it has seen its own join.
        acknowledged: incarnation,
        streams: 0,
        absentSince: undefined,
        accusedUntil: Number.NEGATIVE_INFINITY,
      });
    }
    for (const incarnation of gone) this.#held.delete(incarnation);
  }

  acknowledge(incarnation: Incarnation, version: Version): void {
    const lease = this.#held.get(incarnation);
    if (lease !== undefined) lease.acknowledged = Math.max(lease.acknowledged, version);
  }

  /** Of who is not a member: nothing. */
  acknowledged(incarnation: Incarnation): Version {
    return this.#held.get(incarnation)?.acknowledged ?? 0;
  }

  /** Whether every live member of that kind has acknowledged the version. */
  allAcknowledged(kind: MemberKind, version: Version): boolean {
    for (const lease of this.#held.values()) {
      if (lease.kind === kind && lease.acknowledged < version) return false;
    }
    return true;
  }

  /** It does not answer claims; forgotten where it is not said again. */
  accuse(incarnation: Incarnation, now: number): void {
    const lease = this.#held.get(incarnation);
    if (lease?.kind === "gateway") lease.accusedUntil = now + ACCUSED;
  }

  isAccused(incarnation: Incarnation, now: number): boolean {
    return (this.#held.get(incarnation)?.accusedUntil ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** Of every member. */
  list(now: number): LeaseInfo[] {
    return [...this.#held].map(([incarnation, { expires, acknowledged }]) => {
      const left = this.endless ? undefined : Math.max(0, Math.round(expires - now));
      return { incarnation, left, acknowledged };
    });
  }

  /** The renewal came at `received`. */
  extend(incarnation: Incarnation, received: number): void {
    const lease = this.#held.get(incarnation);
    if (lease !== undefined) lease.expires = Math.max(lease.expires, this.#expiry(received));
  }

  /** Returns what says that the stream is gone. */
  attend(incarnation: Incarnation): (now: number) => void {
    const lease = this.#held.get(incarnation);
    if (lease === undefined) return () => {};
    lease.streams++;
    lease.absentSince = undefined;
    return (now) => {
      if (--lease.streams === 0) lease.absentSince = now;
    };
  }

  /** Those whose time is over. */
  due(now: number): Incarnation[] {
    if (this.endless || now < this.#firstEnd) return [];
    return this.#which((lease) => lease.expires <= now || this.#isAbsent(lease, now));
  }

  /**
   * Whether most of the gateways, and more than one, have not been heard of when they should have: it
   * may be this leader that is cut off.
   */
  missesMostGateways(now: number): boolean {
    const { lease: term } = this.#options;
    const all = this.#which(({ kind }) => kind === "gateway");
    // They renew every third of it, so two in a row did not come.
    const missing = this.#which(({ kind, expires, absentSince }) => {
      return kind === "gateway" && (absentSince !== undefined || expires - now < term / 3);
    });
    return missing.length > 1 && missing.length * 2 > all.length;
  }

  #expiry(from: number): number {
    return this.endless ? Number.POSITIVE_INFINITY : from + this.#options.lease;
  }

  /** A store process ends by its lease alone: what it answers meanwhile counts. */
  #isAbsent({ kind, absentSince }: Lease, now: number): boolean {
    if (kind === "store" || absentSince === undefined) return false;
    return now - absentSince >= this.#options.absence;
  }

  #which(test: (lease: Lease) => boolean): Incarnation[] {
    return [...this.#held].filter(([, lease]) => test(lease)).map(([incarnation]) => incarnation);
  }
}
