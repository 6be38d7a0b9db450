import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { end, start } from "./child.ts";
import type { Answer, Commands, Question } from "./generator/commands.ts";

const main = fileURLToPath(new URL("generator/main.ts", import.meta.url));

interface Waiter {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** One generator process. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #waiters = new Map<number, Waiter>();
  #lastId = 0;

  constructor(cores: string | undefined) {
    this.#child = start(process.execPath, ["--conditions=source", main], {
      cores,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => this.#answered(message as Answer));
    this.#child.on("exit", (code, signal) => this.#gone(`code ${code}, signal ${signal}`));
    this.#child.on("error", (error) => this.#gone(error.message));
  }

  ask<Name extends keyof Commands>(
    command: Name,
    ask: Commands[Name]["ask"],
  ): Promise<Commands[Name]["answer"]> {
    const id = ++this.#lastId;
    const question: Question = { id, command, ask };
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#child.send(question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  async stop(): Promise<void> {
    await end(this.#child);
  }

  #answered(message: Answer): void {
    const waiter = this.#waiters.get(message.id);
    this.#waiters.delete(message.id);
    if ("error" in message) waiter?.reject(new Error(`generator: ${message.error}`));
    else waiter?.resolve(message.answer);
  }

  #gone(how: string): void {
    for (const waiter of this.#waiters.values()) {
      waiter.reject(new Error(`a generator process has ended: ${how}`));
    }
    this.#waiters.clear();
  }
}

/** Several generator processes that are asked alike. */
export class Generators {
  readonly all: readonly Generator[];

  constructor(count: number, cores: string | undefined) {
    this.all = Array.from({ length: count }, () => new Generator(cores));
  }

  get first(): Generator {
    const [first] = this.all;
    if (first === undefined) throw new Error("there is no generator");
    return first;
  }

  each<Name extends keyof Commands>(
    command: Name,
    ask: (index: number) => Commands[Name]["ask"],
  ): Promise<Commands[Name]["answer"][]> {
    return Promise.all(this.all.map((generator, index) => generator.ask(command, ask(index))));
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((generator) => generator.stop()));
  }
}
