/** Calls from a process to one that it forked, over the channel that Node gives them. */
import type { ChildProcess } from "node:child_process";

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

interface Return {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What a node's process can be asked for: parameters in, a promise of the result out. */
export type Methods = Readonly<Record<string, (params: never) => unknown>>;

/** In the forked process. */
export function serveCalls(methods: Methods): void {
  process.on("message", (call: Call) => {
    const method = methods[call.method];
    const run = async (): Promise<unknown> => {
      if (method === undefined) throw new Error(`no method ${call.method}`);
      return method(call.params as never);
    };
    run().then(
      (result) => process.send?.({ id: call.id, result } satisfies Return),
      (error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.send?.({ id: call.id, error: text } satisfies Return);
      },
    );
  });
}

/** In the process that forked. Calls reject when the other ends. */
export class Caller {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  #last = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message) => this.#returned(message as Return));
    child.once("exit", () => this.#ended());
  }

  call<T>(method: string, params?: unknown): Promise<T> {
    if (!this.#child.connected) return Promise.reject(new Error("the process has ended"));
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as T), reject });
      this.#child.send({ id, method, params } satisfies Call, (error) => {
        if (error !== null) this.#settle(id)?.reject(error);
      });
    });
  }

  #returned({ id, result, error }: Return): void {
    const waiting = this.#settle(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #ended(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(new Error("the process has ended"));
  }

  #settle(id: number) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
