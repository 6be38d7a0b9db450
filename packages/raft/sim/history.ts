/** What clients asked and what they were told, on one scale of time. */
import { type Append, checkList, type Read } from "./checker/append-list.ts";
import { type Call, linearizable } from "./checker/linearizable.ts";
import { type RegisterInput, register } from "./checker/register.ts";
import { Violation } from "./violation.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** One operation; settled by `end` once, if ever. */
export interface Recorded<O> {
  end(output: O | undefined): void;
  /** It did not happen, and never will. */
  forget(): void;
}

interface RegisterCall extends Call<RegisterInput, number> {
  output: number | undefined;
  returned: number;
}

interface ListCall {
  readonly value: number;
  readonly called: number;
  position: number | undefined;
  returned: number;
}

export class History {
  readonly #registers = new Map<string, Set<RegisterCall>>();
  readonly #appends = new Map<string, Set<ListCall>>();
  readonly #reads = new Map<string, Set<Read>>();
  #time = 0;
  operations = 0;

  /** Where the present stands on the scale. */
  now(): number {
    return ++this.#time;
  }

  register(group: number, key: number, input: RegisterInput): Recorded<number> {
    const call: RegisterCall = { input, output: undefined, called: this.now(), returned: NEVER };
    return this.#record(this.#registers, `${group}/${key}`, call, (output) => {
      call.output = output;
      call.returned = this.now();
    });
  }

  append(group: number, key: number, value: number): Recorded<number> {
    const call: ListCall = { value, called: this.now(), position: undefined, returned: NEVER };
    return this.#record(this.#appends, `${group}/${key}`, call, (position) => {
      call.position = position;
      call.returned = this.now();
    });
  }

  list(group: number, key: number, called: number, values: readonly number[]): void {
    this.operations++;
    setOf(this.#reads, `${group}/${key}`).add({ values, called, returned: this.now() });
  }

  read(group: number, key: number, called: number, value: number): void {
    this.operations++;
    const call = { input: { kind: "read" as const }, output: value, called, returned: this.now() };
    setOf(this.#registers, `${group}/${key}`).add(call);
  }

  check(): void {
    for (const [key, calls] of this.#registers) {
      const history = [...calls].filter(
        (call) => call.input.kind !== "read" || call.returned !== NEVER,
      );
      if (!linearizable(register, history)) {
        const text = history
          .map((call) => `${JSON.stringify(call)}`)
          .slice(-30)
          .join("\n");
        throw new Violation("linearizability", `register ${key} of group/key:\n${text}`);
      }
    }
    for (const key of new Set([...this.#appends.keys(), ...this.#reads.keys()])) {
      const appends: Append[] = [...(this.#appends.get(key) ?? [])];
      const wrong = checkList(appends, [...(this.#reads.get(key) ?? [])]);
      if (wrong !== undefined) throw new Violation("linearizability", `list ${key}: ${wrong}`);
    }
  }

  #record<C>(
    all: Map<string, Set<C>>,
    key: string,
    call: C,
    end: (output: number | undefined) => void,
  ): Recorded<number> {
    this.operations++;
    const calls = setOf(all, key);
    calls.add(call);
    return { end, forget: () => calls.delete(call) };
  }
}

function setOf<T>(all: Map<string, Set<T>>, key: string): Set<T> {
  let set = all.get(key);
  if (set === undefined) all.set(key, (set = new Set()));
  return set;
}
