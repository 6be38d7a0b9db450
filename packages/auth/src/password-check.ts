import { createHmac, randomBytes } from "node:crypto";
import type { Clock } from "@canopy/base";
import { verifyPassword } from "./argon2.ts";
import type { Credentials } from "./credentials.ts";
import { Turnstile } from "./turnstile.ts";

export interface PasswordCheckOptions {
  /**
   * Verifications at once. Each has a thread of libuv's pool (4 in all) for some 20 ms and, with
   * the usual parameters, 19 MiB; the other threads are left to the disk.
   */
  readonly concurrency?: number;
  /** Verifications that may wait: a few seconds of work. Beyond it clients are told "busy". */
  readonly queue?: number;
  /** Passwords that are remembered to be right … */
  readonly cacheSize?: number;
  /** … for so long after they were last used, in milliseconds. */
  readonly cacheLifetime?: number;
}

export interface PasswordCheckParts {
  readonly clock: Clock;
  readonly verify?: (encoded: string, password: Uint8Array) => Promise<boolean>;
}

export type Verdict = "right" | "wrong" | "busy";

/**
 * Checks passwords against the argon2id lines of the password file, without a hint at which user
 * names exist: an unknown one costs a verification as well.
 *
 * A right password is remembered, so that a hundred thousand clients that reconnect do not cost as
 * many verifications. What is kept is HMAC(key of this process, user + hash line + password): it is
 * of no use elsewhere, and a changed or deleted line is another key, so it takes effect at once.
 */
export class PasswordCheck {
  readonly #clock: Clock;
  readonly #verify: (encoded: string, password: Uint8Array) => Promise<boolean>;
  readonly #turnstile: Turnstile;
  readonly #key = randomBytes(32);
  readonly #cacheSize: number;
  readonly #cacheLifetime: number;
  /** Digest → when it ends, the least recently used first. */
  readonly #right = new Map<string, number>();
  /** Verifications that are running or waiting: a second client with the same answer joins. */
  readonly #pending = new Map<string, Promise<boolean>>();

  constructor(options: PasswordCheckOptions, parts: PasswordCheckParts) {
    this.#clock = parts.clock;
    this.#verify = parts.verify ?? verifyPassword;
    this.#turnstile = new Turnstile(options.concurrency ?? 2, options.queue ?? 500);
    this.#cacheSize = options.cacheSize ?? 100_000;
    this.#cacheLifetime = options.cacheLifetime ?? 24 * 60 * 60 * 1000;
  }

  async check(credentials: Credentials, user: string, password: Uint8Array): Promise<Verdict> {
    const known = credentials.accounts.get(user)?.argon2;
    const encoded = known ?? credentials.decoy.argon2;
    const digest = this.#digest(user, encoded, password);
    if (this.#remembers(digest)) return "right";
    const verification = this.#pending.get(digest) ?? this.#begin(digest, encoded, password);
    if (verification === undefined) return "busy";
    const matches = await verification;
    if (!matches || known === undefined) return "wrong";
    this.#remember(digest);
    return "right";
  }

  #begin(digest: string, encoded: string, password: Uint8Array): Promise<boolean> | undefined {
    const verification = this.#turnstile.run(() => this.#verify(encoded, password));
    if (verification === undefined) return undefined;
    const ending = verification.finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, ending);
    return ending;
  }

  /** Lengths first, so that no two different triples run together to the same bytes. */
  #digest(user: string, encoded: string, password: Uint8Array): string {
    return createHmac("sha256", this.#key)
      .update(`${Buffer.byteLength(user)} ${Buffer.byteLength(encoded)} ${user}${encoded}`)
      .update(password)
      .digest("base64");
  }

  #remembers(digest: string): boolean {
    const end = this.#right.get(digest);
    if (end === undefined) return false;
    this.#right.delete(digest);
    if (end <= this.#clock.now()) return false;
    this.#remember(digest);
    return true;
  }

  #remember(digest: string): void {
    this.#right.delete(digest);
    this.#right.set(digest, this.#clock.now() + this.#cacheLifetime);
    if (this.#right.size <= this.#cacheSize) return;
    for (const oldest of this.#right.keys()) {
      this.#right.delete(oldest);
      return;
    }
  }
}
