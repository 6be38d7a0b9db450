import { argon2Cost, decoyHash, defaultArgon2Cost } from "./argon2.ts";
import { saslprep } from "./saslprep.ts";
import {
  defaultIterations,
  defaultSaltLength,
  minIterations,
  parseScram,
  type ScramCredential,
} from "./scram-credential.ts";

/**
 * The password file: one line "user:credential", where the credential is an argon2id hash (checked
 * against the password of a CONNECT) or a SCRAM-SHA-256 one (for enhanced authentication). Each
 * user has at most one line of each kind. Empty lines, and lines that start with "#", say nothing.
 */
export interface Credentials {
  readonly accounts: ReadonlyMap<string, Account>;
  /** Those with SCRAM, by the SASLprep form of the name, which is what a SCRAM client sends. */
  readonly scramAccounts: ReadonlyMap<string, ScramAccount>;
  readonly decoy: Decoy;
}

export interface Account {
  readonly user: string;
  readonly argon2?: string;
  readonly scram?: ScramCredential;
}

export type ScramAccount = Account & { readonly scram: ScramCredential };

/** What unknown users are met with, so that they look and cost like most of the file's users. */
export interface Decoy {
  readonly argon2: string;
  readonly iterations: number;
  readonly saltLength: number;
}

export type CredentialKind = "argon2id" | "SCRAM-SHA-256";

type Line = { readonly number: number; readonly user: string } & (
  | { readonly kind: "argon2id"; readonly argon2: string }
  | { readonly kind: "SCRAM-SHA-256"; readonly scram: ScramCredential }
);

export class CredentialError extends Error {
  override readonly name = "CredentialError";
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.line = line;
  }
}

/** Throws CredentialError for a line that is wrong. */
export function parseCredentials(text: string): Credentials {
  const lines = text.split("\n").flatMap((line, index) => parseLine(line, index + 1));
  const accounts = new Map<string, Account>();
  for (const line of lines) {
    const account = accounts.get(line.user);
    const twice = line.kind === "argon2id" ? account?.argon2 : account?.scram;
    if (twice !== undefined) {
      throw new CredentialError(line.number, `a second ${line.kind} line for "${line.user}"`);
    }
    const { number: _, kind: __, ...credential } = line;
    accounts.set(line.user, { ...account, ...credential });
  }
  return { accounts, scramAccounts: byPreparedName(lines, accounts), decoy: decoyFor(lines) };
}

/** The user that a line is about; undefined for a comment, an empty line and a line without ":". */
export function userOfLine(line: string): string | undefined {
  const colon = line.indexOf(":");
  return colon < 0 || isSilent(line) ? undefined : line.slice(0, colon);
}

/** Why this cannot be a user's name in the file; undefined if it can. */
export function userNameProblem(user: string): string | undefined {
  if (user === "") return "the user name is empty";
  if (user.includes(":")) return 'a user name cannot contain ":"';
  if (/\p{Cc}|\p{Cs}/u.test(user)) return "a user name cannot contain control characters";
  if (user.startsWith("#")) return 'a user name cannot start with "#"';
  if (user.trim() !== user) return "a user name cannot start or end with a space";
  if (Buffer.byteLength(user) > 65_535) return "the user name is longer than MQTT allows";
  return undefined;
}

function isSilent(line: string): boolean {
  const content = line.trim();
  return content === "" || content.startsWith("#");
}

function parseLine(raw: string, number: number): Line[] {
  const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
  if (isSilent(line)) return [];
  const user = userOfLine(line);
  if (user === undefined) throw new CredentialError(number, 'expected "user:credential"');
  const problem = userNameProblem(user);
  if (problem !== undefined) throw new CredentialError(number, problem);
  return [parseCredential(user, line.slice(user.length + 1), number)];
}

function parseCredential(user: string, text: string, number: number): Line {
  if (text.startsWith("SCRAM-SHA-256$")) {
    const scram = parseScram(text);
    if (scram !== undefined) return { number, user, kind: "SCRAM-SHA-256", scram };
    const need = `iterations (at least ${minIterations}):salt$StoredKey:ServerKey`;
    throw new CredentialError(number, `not a SCRAM-SHA-256 credential: expected ${need}`);
  }
  if (argon2Cost(text) !== undefined) return { number, user, kind: "argon2id", argon2: text };
  throw new CredentialError(
    number,
    `neither an argon2id hash ($argon2id$v=19$m=…) nor a SCRAM-SHA-256 credential`,
  );
}

function byPreparedName(
  lines: readonly Line[],
  accounts: ReadonlyMap<string, Account>,
): Map<string, ScramAccount> {
  const prepared = new Map<string, ScramAccount>();
  for (const line of lines) {
    if (line.kind !== "SCRAM-SHA-256") continue;
    const name = saslprep(line.user) ?? "";
    if (name === "") {
      throw new CredentialError(line.number, "SCRAM prohibits characters of this user name");
    }
    const other = prepared.get(name)?.user;
    if (other !== undefined) {
      throw new CredentialError(line.number, `to SCRAM this is the same user name as "${other}"`);
    }
    prepared.set(name, { ...accounts.get(line.user), user: line.user, scram: line.scram });
  }
  return prepared;
}

function decoyFor(lines: readonly Line[]): Decoy {
  const costs = lines.flatMap((line) =>
    line.kind === "argon2id" ? [argon2Cost(line.argon2)] : [],
  );
  const shapes = lines.flatMap((line) =>
    line.kind === "SCRAM-SHA-256"
      ? [{ iterations: line.scram.iterations, saltLength: line.scram.salt.length }]
      : [],
  );
  const usual = { iterations: defaultIterations, saltLength: defaultSaltLength };
  return {
    argon2: decoyHash(mostFrequent(costs) ?? defaultArgon2Cost),
    ...(mostFrequent(shapes) ?? usual),
  };
}

/** By content; the first of equally frequent ones. */
function mostFrequent<T>(values: readonly T[]): T | undefined {
  const counts = new Map<string, number>();
  let best: T | undefined;
  let most = 0;
  for (const value of values) {
    const key = JSON.stringify(value);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count > most) [best, most] = [value, count];
  }
  return best;
}
