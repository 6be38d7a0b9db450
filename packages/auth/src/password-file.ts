import { readFile, stat } from "node:fs/promises";
import type { Lifecycle, Logger, Timer, Timers } from "@canopy/base";
import { type Credentials, parseCredentials } from "./credentials.ts";
import { PasswordFileError } from "./edit.ts";

export interface PasswordFileOptions {
  readonly path: string;
  /** How often the file is looked at, in milliseconds. */
  readonly interval?: number | undefined;
}

export interface PasswordFileParts {
  readonly timers: Timers;
  readonly logger: Logger;
}

const defaultInterval = 2000;

/**
 * The credentials of a file, read again when it changes. It is polled, because file watching is
 * not reliable on network disks, in containers and across renames. A new content that is broken
 * or gone changes nothing but the log: one error for each state of the file.
 */
export class PasswordFile implements Lifecycle {
  readonly #path: string;
  readonly #interval: number;
  readonly #parts: PasswordFileParts;
  #credentials: Credentials = parseCredentials("");
  /** The look of the file when it was last read. */
  #seen = "";
  #timer: Timer | undefined;
  #stopped = false;
  #polling: Promise<void> = Promise.resolve();

  constructor(options: PasswordFileOptions, parts: PasswordFileParts) {
    this.#path = options.path;
    this.#interval = options.interval ?? defaultInterval;
    this.#parts = parts;
  }

  /** Those of the last good content; a new object after each reload. */
  get credentials(): Credentials {
    return this.#credentials;
  }

  /** Rejects if the file is not there or not valid: a broker must not start without its users. */
  async start(): Promise<void> {
    this.#seen = await this.#look();
    const content = await this.#read();
    if ("problem" in content) {
      const { problem, cause } = content;
      throw new PasswordFileError(`password file ${this.#path}: ${problem}`, { cause });
    }
    this.#credentials = content.credentials;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#polling;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.timers.set(this.#interval, () => {
      this.#polling = this.#poll().finally(() => this.#schedule());
    });
  }

  async #poll(): Promise<void> {
    const look = await this.#look();
    if (look === this.#seen) return;
    const content = await this.#read();
    // Written while it was read, so half of it may be missing; the next poll reads it again.
    if ((await this.#look()) !== look) return;
    this.#seen = look;
    const { logger } = this.#parts;
    const file = this.#path;
    if ("problem" in content) {
      const { problem } = content;
      logger.error({ file, problem }, `password file: ${problem}; the users stay as they were`);
      return;
    }
    this.#credentials = content.credentials;
    logger.info({ file, users: content.credentials.accounts.size }, "password file reloaded");
  }

  /** Differs when the content may; for a file that cannot be looked at, it is the reason. */
  async #look(): Promise<string> {
    try {
      const { ino, size, mtimeNs, ctimeNs } = await stat(this.#path, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch (error) {
      return messageOf(error);
    }
  }

  async #read(): Promise<{ credentials: Credentials } | { problem: string; cause: unknown }> {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(this.#path));
      return { credentials: parseCredentials(text) };
    } catch (cause) {
      return { problem: messageOf(cause), cause };
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
