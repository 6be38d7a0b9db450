import type { ShardStore } from "@canopy/store";

/** Keys above packet identifiers are those of wills: this plus the session's epoch. */
export const WILL_KEYS = 65_536;

/** The receipts of one shard: which are on their way to the disk, and which sessions have any. */
export class Receipts {
  readonly #inFlight = new Map<number, Set<number>>();
  /** Sessions with receipts here, on disk or on the way; some may have none left. */
  readonly #sessions = new Set<number>();
  /** Session → keys of its wills. */
  readonly #wills = new Map<number, Set<number>>();
  /** Sessions that have ended since loading has begun; undefined: it has ended. */
  #ended: Set<number> | undefined = new Set();

  /** Learns what is on disk; returns the sessions that have receipts. */
  async load(store: ShardStore): Promise<readonly number[]> {
    const sessions = await store.receiptSessions();
    for (const session of sessions) {
      for (const key of await store.receipts(session)) this.#note(session, key);
    }
    return sessions;
  }

  /** Everything is known. Returns who has ended meanwhile, and was told to nobody. */
  loaded(): Iterable<number> {
    const ended = this.#ended ?? [];
    this.#ended = undefined;
    return ended;
  }

  /** False while it is not known yet whether the session has receipts here: loading will find them. */
  knows(session: number): boolean {
    this.#ended?.add(session);
    return this.#ended === undefined;
  }

  isInFlight(session: number, key: number): boolean {
    return this.#inFlight.get(session)?.has(key) ?? false;
  }

  began(session: number, key: number): void {
    const keys = this.#inFlight.get(session);
    if (keys === undefined) this.#inFlight.set(session, new Set([key]));
    else keys.add(key);
    this.#note(session, key);
  }

  ended(session: number, key: number): void {
    const keys = this.#inFlight.get(session);
    if (keys === undefined) return;
    keys.delete(key);
    if (keys.size === 0) this.#inFlight.delete(session);
  }

  has(session: number): boolean {
    return this.#sessions.has(session);
  }

  /** Keys of earlier wills of the session; they are not needed once a later one is stored. */
  olderWills(session: number, key: number): readonly number[] {
    return [...(this.#wills.get(session) ?? [])].filter((older) => older < key);
  }

  forgetWill(session: number, key: number): void {
    this.#wills.get(session)?.delete(key);
  }

  forgetSession(session: number): void {
    this.#sessions.delete(session);
    this.#wills.delete(session);
  }

  #note(session: number, key: number): void {
    this.#sessions.add(session);
    if (key < WILL_KEYS) return;
    const wills = this.#wills.get(session);
    if (wills === undefined) this.#wills.set(session, new Set([key]));
    else wills.add(key);
  }
}
