/**
 * Whether a history of operations on one object could have come from one copy of it that does one
 * operation at a time, each between its call and its answer. The search of Wing and Gong with Lowe's
 * memory of what was tried ("Testing for linearizability", 2017): pairs of (set of linearized
 * operations, state) are visited once.
 */

export interface Call<I, O> {
  readonly input: I;
  /** Undefined: never answered, or answered without saying what; anything may have come out. */
  readonly output: O | undefined;
  /** Both on one scale, each different from all others. */
  readonly called: number;
  /** Infinite where it was never answered: it may take effect at any time, or never. */
  readonly returned: number;
}

/** States are compared by ===. */
export interface Model<S, I, O> {
  readonly initial: S;
  /** The state after it; undefined if the operation can't have this output in this state. */
  step(state: S, input: I, output: O | undefined): S | undefined;
}

/** An operation's call, or its return; a doubly linked list in order of time. */
class Mark {
  before: Mark | undefined;
  after: Mark | undefined;
  readonly operation: number;
  /** Of a call: the mark of its return. */
  readonly end: Mark | undefined;

  constructor(operation: number, end: Mark | undefined) {
    this.operation = operation;
    this.end = end;
  }
}

export function linearizable<S extends number | string, I, O>(
  model: Model<S, I, O>,
  calls: readonly Call<I, O>[],
): boolean {
  const answered = calls.filter((call) => call.returned !== Number.POSITIVE_INFINITY).length;
  const head = new Mark(-1, undefined);
  linkUp(head, calls);
  const done = new Bits(calls.length);
  const seen = new Set<string>();
  const path: { mark: Mark; state: S }[] = [];
  let state = model.initial;
  let left = answered;
  let mark = head.after;
  while (left > 0) {
    if (mark?.end !== undefined) {
      const call = calls[mark.operation] as Call<I, O>;
      const next = model.step(state, call.input, call.output);
      if (next !== undefined && remember(seen, done, mark.operation, next)) {
        path.push({ mark, state });
        if (call.returned !== Number.POSITIVE_INFINITY) left--;
        state = next;
        lift(mark);
        mark = head.after;
      } else {
        mark = mark.after;
      }
      continue;
    }
    // An answer whose operation is not linearized yet, or the end: the last choice was wrong.
    const last = path.pop();
    if (last === undefined) return false;
    if (calls[last.mark.operation]?.returned !== Number.POSITIVE_INFINITY) left++;
    done.clear(last.mark.operation);
    state = last.state;
    unlift(last.mark);
    mark = last.mark.after;
  }
  return true;
}

/** Sets the bit; false, with the bit cleared again, where this was tried before. */
function remember(
  seen: Set<string>,
  done: Bits,
  operation: number,
  state: number | string,
): boolean {
  done.set(operation);
  const key = `${done.key()}|${state}`;
  if (!seen.has(key)) {
    seen.add(key);
    return true;
  }
  done.clear(operation);
  return false;
}

function linkUp(head: Mark, calls: readonly Call<unknown, unknown>[]): void {
  const marks: { time: number; mark: Mark }[] = [];
  calls.forEach((call, operation) => {
    const end = new Mark(operation, undefined);
    marks.push({ time: call.called, mark: new Mark(operation, end) });
    marks.push({ time: call.returned, mark: end });
  });
  marks.sort((a, b) => (a.time === b.time ? 0 : a.time - b.time));
  let last = head;
  for (const { mark } of marks) {
    last.after = mark;
    mark.before = last;
    last = mark;
  }
}

function lift(mark: Mark): void {
  for (const one of [mark, mark.end as Mark]) {
    (one.before as Mark).after = one.after;
    if (one.after !== undefined) one.after.before = one.before;
  }
}

function unlift(mark: Mark): void {
  for (const one of [mark.end as Mark, mark]) {
    (one.before as Mark).after = one;
    if (one.after !== undefined) one.after.before = one;
  }
}

class Bits {
  readonly #words: Uint16Array;

  constructor(size: number) {
    this.#words = new Uint16Array(Math.ceil(size / 16));
  }

  set(bit: number): void {
    this.#words[bit >> 4] = (this.#words[bit >> 4] as number) | (1 << (bit & 15));
  }

  clear(bit: number): void {
    this.#words[bit >> 4] = (this.#words[bit >> 4] as number) & ~(1 << (bit & 15));
  }

  key(): string {
    return String.fromCharCode(...this.#words);
  }
}
