/** Control over the session nodes of the cluster, whichever of them leads. */
import type { Clock, Random, Timers } from "@canopy/base";
import {
  type Announced,
  type Announcement,
  type AttendSink,
  type Ban,
  type Control,
  ControlError,
  type Incarnation,
  type Joined,
  type JoinRequest,
  type NodeWish,
  type Renewal,
  type Version,
  type Watch,
  type WatchSink,
} from "@canopy/control";
import { Backoff, pause } from "./control-backoff.ts";

export interface ControlClientOptions {
  /** Names of the session nodes that are known now; one at least. */
  readonly nodes: () => readonly string[];
  /** The Control of a node, also of one that only another node has named. May throw. */
  readonly connect: (node: string) => Control;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** How long a call is tried, ms; default 10 s. */
  readonly deadline?: number;
  /**
   * The same of a renewal, default 1 s: what has not arrived by then is better sent again, as its lease
   * counts from the first time.
   */
  readonly renewDeadline?: number;
  /** How long a node may take for its answer, ms, before another one is asked; default 1 s. */
  readonly patience?: number;
}

const DEADLINE = 10_000;
const RENEW_DEADLINE = 1_000;
const PATIENCE = 1_000;
/** How often in a row one node's word about another is followed without a pause. */
const MOST_HINTS = 3;

/** What another try, or another node, does not change. */
const FINAL: ReadonlySet<string> = new Set(["ended", "behind", "refused"]);

/**
 * Calls find the leader and are repeated until their deadline, also where it is not known what became
 * of them: each may be done twice. Watches are served by one node after the other.
 */
export class ControlClient implements Control {
  readonly #options: ControlClientOptions;
  /** Who is said to lead; not known to be true. */
  #leader: string | undefined;
  #next = 0;
  #watched: string | undefined;
  #closed = false;

  constructor(options: ControlClientOptions) {
    this.#options = options;
  }

  /** Nothing is tried again, and what is asked from here on is refused as `closed`. */
  close(): void {
    this.#closed = true;
  }

  join(request: JoinRequest): Promise<Joined> {
    return this.#call((control) => control.join(request));
  }

  renew(renewal: Renewal): Promise<void> {
    const { renewDeadline = RENEW_DEADLINE } = this.#options;
    return this.#call((control) => control.renew(renewal), { deadline: renewDeadline });
  }

  leave(incarnation: Incarnation): Promise<void> {
    return this.#call((control) => control.leave(incarnation));
  }

  /** At who is said to lead; after its end at another node. */
  attend(incarnation: Incarnation, sink: AttendSink): Watch {
    const choose = (): string => this.#leader ?? this.#other(undefined);
    return this.#stream(choose, sink, (control, ended) => control.attend(incarnation, { ended }));
  }

  /** Each at the next node. */
  watch(after: Version, sink: WatchSink): Watch {
    const choose = (): string => {
      this.#watched = this.#other(this.#watched);
      return this.#watched;
    };
    return this.#stream(choose, sink, (control, ended) => {
      return control.watch(after, {
        whole: (view) => sink.whole(view),
        changes: (changes, version) => sink.changes(changes, version),
        ended,
      });
    });
  }

  reopen(incarnation: Incarnation, shard: number): Promise<number> {
    return this.#call((control) => control.reopen(incarnation, shard));
  }

  ban(ban: Ban): Promise<Version> {
    return this.#call((control) => control.ban(ban));
  }

  unban(kind: Ban["kind"], value: string): Promise<Version> {
    return this.#call((control) => control.unban(kind, value));
  }

  announce(node: Announcement): Promise<Announced> {
    return this.#call((control) => control.announce(node));
  }

  accuse(gateway: Incarnation): Promise<void> {
    return this.#call((control) => control.accuse(gateway));
  }

  wish(wish: NodeWish): Promise<Version> {
    return this.#call((control) => control.wish(wish));
  }

  inForce(version: Version): Promise<void> {
    // It waits for others, so a late answer says nothing about the node.
    return this.#call((control) => control.inForce(version), {
      patience: Number.POSITIVE_INFINITY,
    });
  }

  async #call<T>(
    ask: (control: Control) => Promise<T>,
    limits: { readonly deadline?: number; readonly patience?: number } = {},
  ): Promise<T> {
    const { clock, timers, random } = this.#options;
    const { deadline = DEADLINE, patience = PATIENCE } = { ...this.#options, ...limits };
    const end = clock.now() + deadline;
    const backoff = new Backoff(random);
    let node: string | undefined;
    for (let hints = 0; ; ) {
      if (this.#closed) throw closed();
      const left = end - clock.now();
      let error: ControlError;
      try {
        node = this.#leader ?? this.#other(node);
        const control = this.#options.connect(node);
        return await this.#within(Math.min(left, patience), ask(control));
      } catch (thrown) {
        error = asControlError(thrown);
      }
      if (FINAL.has(error.code)) throw error;
      this.#learn(node, error);
      if (this.#leader !== undefined && ++hints <= MOST_HINTS) continue;
      hints = 0;
      const wait = backoff.next();
      if (clock.now() + wait >= end) throw error;
      await pause(timers, wait);
    }
  }

  /** Where no other one is named, another one is asked next. */
  #learn(node: string | undefined, error: ControlError): void {
    if (error.leader !== undefined && error.leader !== node) this.#leader = error.leader;
    else if (node !== undefined && this.#leader === node) this.#leader = undefined;
  }

  /** The one behind the last, so that none is left out; first any, each time the next. */
  #other(last: string | undefined): string {
    const nodes = this.#options.nodes();
    const before = last === undefined ? -1 : nodes.indexOf(last);
    const node = nodes[(before < 0 ? this.#next++ : before + 1) % nodes.length];
    if (node === undefined) throw new ControlError("unavailable", "no session node is known");
    return node;
  }

  /** Where no node is known, as before DNS names one, it ends like one at a node that is away. */
  #stream(
    choose: () => string,
    sink: AttendSink,
    open: (control: Control, ended: (error: ControlError) => void) => Watch,
  ): Watch {
    let isOpen = true;
    let node: string | undefined;
    const ended = (error: ControlError): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#learn(node, error);
      sink.ended(error);
    };
    let watch: Watch | undefined;
    try {
      if (this.#closed) throw closed();
      node = choose();
      watch = open(this.#options.connect(node), ended);
    } catch (thrown) {
      queueMicrotask(() => ended(asControlError(thrown)));
    }
    return {
      close: () => {
        isOpen = false;
        watch?.close();
      },
    };
  }

  #within<T>(ms: number, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.timers.set(ms, () => {
        reject(new ControlError("indeterminate", `no answer within ${Math.round(ms)} ms`));
      });
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

function asControlError(thrown: unknown): ControlError {
  if (thrown instanceof ControlError) return thrown;
  return new ControlError("unavailable", String(thrown), { cause: thrown });
}

function closed(): ControlError {
  return new ControlError("closed", "the client is closed");
}
