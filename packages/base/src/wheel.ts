/**
 * What an object embeds to have one timer in a wheel.
 *
 * Pushing the deadline back is a plain write to `deadline`: the wheel finds the later time when
 * it comes to the entry and puts it further on. Only an earlier deadline needs `schedule`.
 */
export class WheelEntry<T = unknown> {
  readonly owner: T;
  deadline: number = Number.POSITIVE_INFINITY;
  /** The wheel's own: the tick at which it looks at this entry, and its neighbours there. */
  tick = 0;
  next: WheelEntry<T> | undefined = undefined;
  previous: WheelEntry<T> | undefined = undefined;

  constructor(owner: T) {
    this.owner = owner;
  }

  get scheduled(): boolean {
    return this.next !== undefined;
  }
}

export interface WheelOptions {
  /** An entry expires up to this much late, never early. */
  readonly tickMs?: number;
  /** A deadline beyond tickMs × slots costs one move per revolution. */
  readonly slots?: number;
}

/**
 * A hashed timer wheel, for one timer per connection by the hundred thousand: scheduling,
 * cancelling and rescheduling are O(1) and allocate nothing.
 */
export class TimerWheel<T = unknown> {
  readonly #tickMs: number;
  readonly #heads: WheelEntry<T>[] = [];
  /** Everything up to this tick has been looked at. */
  #cursor: number;
  #size = 0;

  constructor(now: number, options: WheelOptions = {}) {
    this.#tickMs = options.tickMs ?? 250;
    const slots = options.slots ?? 512;
    for (let i = 0; i < slots; i++) this.#heads.push(emptyList());
    this.#cursor = Math.floor(now / this.#tickMs) - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Sets or moves the entry's deadline. */
  schedule(entry: WheelEntry<T>, deadline: number): void {
    entry.deadline = deadline;
    if (entry.scheduled) {
      if (entry.tick <= this.#tickOf(deadline)) return;
      unlink(entry);
    } else {
      this.#size++;
    }
    this.#place(entry);
  }

  cancel(entry: WheelEntry<T>): void {
    if (!entry.scheduled) return;
    unlink(entry);
    this.#size--;
  }

  /** Calls onExpire for each entry that is due; the call may schedule and cancel any entry. */
  advance(now: number, onExpire: (owner: T, entry: WheelEntry<T>) => void): void {
    // A tick is over, so that all its deadlines are due, when now has left it.
    const target = Math.floor(now / this.#tickMs) - 1;
    const from = Math.max(this.#cursor, target - this.#heads.length);
    if (target <= this.#cursor) return;
    // Moved first: what onExpire schedules goes behind the ticks that are being looked at.
    this.#cursor = target;
    for (let tick = from + 1; tick <= target; tick++) this.#expire(tick, now, onExpire);
  }

  #expire(tick: number, now: number, onExpire: (owner: T, entry: WheelEntry<T>) => void): void {
    // The slot's list is taken out whole, so entries placed in this slot meanwhile wait a turn.
    const slot = this.#slotOf(tick);
    const list = this.#heads[slot] as WheelEntry<T>;
    if (list.next === list) return;
    this.#heads[slot] = emptyList();
    for (let entry = first(list); entry !== undefined; entry = first(list)) {
      unlink(entry);
      if (entry.deadline > now) {
        this.#place(entry);
      } else {
        this.#size--;
        onExpire(entry.owner, entry);
      }
    }
  }

  #tickOf(deadline: number): number {
    return Math.floor(deadline / this.#tickMs);
  }

  #slotOf(tick: number): number {
    const slots = this.#heads.length;
    return ((tick % slots) + slots) % slots;
  }

  #place(entry: WheelEntry<T>): void {
    const nearest = this.#cursor + 1;
    const farthest = this.#cursor + this.#heads.length;
    const tick = Math.min(Math.max(this.#tickOf(entry.deadline), nearest), farthest);
    const head = this.#heads[this.#slotOf(tick)] as WheelEntry<T>;
    const last = head.previous as WheelEntry<T>;
    entry.tick = tick;
    entry.previous = last;
    entry.next = head;
    last.next = entry;
    head.previous = entry;
  }
}

/** A ring with one entry that belongs to nobody, so that linking needs no special cases. */
function emptyList<T>(): WheelEntry<T> {
  const head = new WheelEntry<T>(undefined as T);
  head.next = head;
  head.previous = head;
  return head;
}

function first<T>(list: WheelEntry<T>): WheelEntry<T> | undefined {
  return list.next === list ? undefined : list.next;
}

function unlink<T>(entry: WheelEntry<T>): void {
  const { next, previous } = entry as Required<WheelEntry<T>>;
  (previous as WheelEntry<T>).next = next;
  (next as WheelEntry<T>).previous = previous;
  entry.next = undefined;
  entry.previous = undefined;
}
