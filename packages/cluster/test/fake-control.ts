/** A node of the control plane that answers what it is told to. */
import {
  type Announced,
  type AttendSink,
  type Control,
  ControlError,
  type Renewal,
  type Watch,
  type WatchSink,
} from "@canopy/control";

type Answer = () => Promise<unknown>;

export class FakeControl implements Control {
  /** What was called, with the first argument's telling part. */
  readonly asked: string[] = [];
  readonly renewals: Renewal[] = [];
  /** What to answer to calls, in order; after that `otherwise`. */
  answers: Answer[] = [];
  otherwise: Answer = () => Promise.resolve({ incarnation: 7, lease: 3_000 });
  readonly attended: AttendSink[] = [];
  readonly watched: { readonly after: number; readonly sink: WatchSink }[] = [];
  closed = 0;

  #answer(call: string): Promise<never> {
    this.asked.push(call);
    return (this.answers.shift() ?? this.otherwise)() as Promise<never>;
  }

  join(): ReturnType<Control["join"]> {
    return this.#answer("join");
  }

  renew(renewal: Renewal): Promise<void> {
    this.renewals.push(renewal);
    return this.#answer("renew");
  }

  leave(): Promise<void> {
    return this.#answer("leave");
  }

  attend(_incarnation: number, sink: AttendSink): Watch {
    this.attended.push(sink);
    return { close: () => this.closed++ };
  }

  watch(after: number, sink: WatchSink): Watch {
    this.watched.push({ after, sink });
    return { close: () => this.closed++ };
  }

  reopen(): Promise<number> {
    return this.#answer("reopen");
  }

  ban(): Promise<number> {
    return this.#answer("ban");
  }

  unban(): Promise<number> {
    return this.#answer("unban");
  }

  announce(): Promise<Announced> {
    return this.#answer("announce");
  }

  accuse(): Promise<void> {
    return this.#answer("accuse");
  }

  wish(): Promise<number> {
    return this.#answer("wish");
  }

  inForce(): Promise<void> {
    return this.#answer("inForce");
  }
}

export function failure(code: ControlError["code"], leader?: string): Answer {
  return () => Promise.reject(new ControlError(code, code, { leader }));
}

export const never: Answer = () => new Promise(() => {});

/** Until everything that follows from what has happened has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
