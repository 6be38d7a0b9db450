import type { Clock, Random, Timers } from "@canopy/base";
import { SessionError } from "@canopy/session";
import { Backoff, pause } from "../control-backoff.ts";

/** `Port`: of a group, at one node. */
export interface GroupCallsOptions<Port> {
  /** Names of the session nodes that are known now; one at least. */
  readonly nodes: () => readonly string[];
  /** A group of the node, also of one that only another node has named. May throw. */
  readonly connect: (node: string, group: number) => Port;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** How long a call is tried, ms; default 10 s. */
  readonly deadline?: number;
  /** How long a node may take before others are asked whether it still leads, ms; default 1 s. */
  readonly patience?: number;
}

const DEADLINE = 10_000;
const PATIENCE = 1_000;
/** How often in a row one node's word about another is followed without a pause. */
const MOST_HINTS = 3;
/** Longest pause between two tries, ms. */
const LONGEST_PAUSE = 500;

/** What another try, or another node, does not change. */
const FINAL: ReadonlySet<string> = new Set(["stale", "taken-over", "overloaded"]);

type Outcome<T> =
  | { readonly type: "value"; readonly value: T }
  | { readonly type: "error"; readonly error: SessionError }
  /** No answer yet. */
  | { readonly type: "late" };

/** One call, through all its tries. */
interface Call<Port, T> {
  readonly ask: (port: Port) => Promise<T>;
  readonly end: number;
  /** A try may have been, or may yet be, done. */
  isUncertain: boolean;
}

/**
 * Calls to one session group, at whichever node leads it. They are repeated, always the same request,
 * until their deadline: then they are `unavailable`, or `indeterminate` where one of the tries may have
 * been done.
 */
export class GroupCalls<Port> {
  readonly group: number;
  readonly #options: GroupCallsOptions<Port>;
  /** Who is said to lead; not known to be true. */
  #leader: string | undefined;
  #next = 0;
  #closed = false;

  constructor(group: number, options: GroupCallsOptions<Port>) {
    this.group = group;
    this.#options = options;
    // so that not all groups begin with the same node
    this.#next = group;
  }

  /** Nothing is tried again, and what is asked from here on is refused as `closed`. */
  close(): void {
    this.#closed = true;
  }

  async call<T>(
    ask: (port: Port) => Promise<T>,
    deadline: number = this.#options.deadline ?? DEADLINE,
  ): Promise<T> {
    const { clock, timers, random } = this.#options;
    const call: Call<Port, T> = { ask, end: clock.now() + deadline, isUncertain: false };
    const backoff = new Backoff(random, LONGEST_PAUSE);
    let node: string | undefined;
    for (let hints = 0; ; ) {
      if (this.#closed) throw new SessionError("closed", "no group is asked any more");
      node = this.#leader ?? this.#other(node);
      const outcome = await this.#at(node, call);
      if (outcome.type === "value") return outcome.value;
      if (outcome.type === "late") throw this.#given(call, undefined);
      const { error } = outcome;
      if (isFinal(error, call.isUncertain)) throw error;
      if (this.#leader !== undefined && this.#leader !== node && ++hints <= MOST_HINTS) continue;
      hints = 0;
      const wait = backoff.next();
      if (clock.now() + wait >= call.end) throw this.#given(call, error);
      await pause(timers, wait);
    }
  }

  /**
   * Asks a node. While it says nothing, others are asked too: a node that leads no more may hang, but one
   * that leads may only take its time, and is not asked twice. `late`: the call's time is up.
   */
  async #at<T>(node: string, call: Call<Port, T>): Promise<Outcome<T>> {
    const answer = this.#ask(node, call);
    for (;;) {
      const outcome = await this.#within(answer, call);
      if (outcome.type !== "late") {
        this.#learn(node, outcome, call);
        return outcome;
      }
      if (this.#options.clock.now() >= call.end) break;
      const other = this.#other(node);
      if (other === node) continue;
      const word = await this.#within(this.#ask(other, call), call);
      if (word.type === "value" || (word.type === "error" && !isAbout(word.error, node))) {
        call.isUncertain = true;
        this.#learn(other, word, call);
        return word;
      }
    }
    call.isUncertain = true;
    if (this.#leader === node) this.#leader = undefined;
    return { type: "late" };
  }

  async #ask<T>(node: string, { ask }: Call<Port, T>): Promise<Outcome<T>> {
    try {
      return { type: "value", value: await ask(this.#options.connect(node, this.group)) };
    } catch (thrown) {
      return { type: "error", error: asSessionError(thrown) };
    }
  }

  #learn<T>(node: string, outcome: Outcome<T>, call: Call<Port, T>): void {
    if (outcome.type !== "error") {
      this.#leader = node;
      return;
    }
    const { code, leader } = outcome.error;
    if (code === "indeterminate") call.isUncertain = true;
    if (FINAL.has(code)) this.#leader = node;
    else if (leader !== undefined && leader !== node) this.#leader = leader;
    // `unavailable` may come of what a leader waits for: another node will name it again
    else if (this.#leader === node) this.#leader = undefined;
  }

  /** The next one in turn, but not the same again where there is another. */
  #other(last: string | undefined): string {
    const nodes = this.#options.nodes();
    for (let left = nodes.length; left > 0; left--) {
      const node = nodes[this.#next++ % nodes.length] as string;
      if (node !== last || nodes.length === 1) return node;
    }
    throw new SessionError("unavailable", "no session node is known");
  }

  #given<T>({ isUncertain }: Call<Port, T>, cause: SessionError | undefined): SessionError {
    const text = `session group ${this.group} does not answer`;
    return new SessionError(isUncertain ? "indeterminate" : "unavailable", text, { cause });
  }

  #within<T>(answer: Promise<Outcome<T>>, { end }: Call<Port, unknown>): Promise<Outcome<T>> {
    const { clock, timers, patience = PATIENCE } = this.#options;
    const left = Math.max(0, Math.min(patience, end - clock.now()));
    return new Promise((resolve, reject) => {
      const timer = timers.set(left, () => resolve({ type: "late" }));
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

function isFinal({ code }: SessionError, isUncertain: boolean): boolean {
  // what an earlier try may have opened is not to be forgotten
  return FINAL.has(code) && !(isUncertain && code === "overloaded");
}

/** It leads not, and knows nobody but this one who does. */
function isAbout({ code, leader }: SessionError, node: string): boolean {
  if (code === "not-leader") return leader === undefined || leader === node;
  return code === "unavailable" || code === "closed";
}

function asSessionError(thrown: unknown): SessionError {
  if (thrown instanceof SessionError) return thrown;
  return new SessionError("unavailable", String(thrown), { cause: thrown });
}
