import { hashPassword } from "./argon2.ts";
import {
  CredentialError,
  type CredentialKind,
  parseCredentials,
  userNameProblem,
  userOfLine,
} from "./credentials.ts";
import { replaceFile } from "./replace-file.ts";
import { formatScram, scramCredential } from "./scram-credential.ts";

/** Something that the person at the keyboard can put right; the message says what. */
export class PasswordFileError extends Error {
  override readonly name = "PasswordFileError";
}

const bothKinds: readonly CredentialKind[] = ["argon2id", "SCRAM-SHA-256"];

/**
 * Adds the user or changes the password, in the file that may not be there yet. All lines of the
 * user are replaced, also those of a kind that is not asked for: an old password must not stay
 * valid. Resolves to whether the user was new.
 */
export async function setPassword(
  file: string,
  user: string,
  password: string,
  kinds: readonly CredentialKind[] = bothKinds,
): Promise<boolean> {
  const lines = await credentialLines(user, password, kinds);
  let added = false;
  await replaceFile(file, (text = "") => {
    const replaced = replaceUser(valid(file, text), user, lines);
    added = !replaced.found;
    return valid(file, replaced.text);
  });
  return added;
}

/** Removes all lines of the user; rejects with PasswordFileError if there is none. */
export async function deleteUser(file: string, user: string): Promise<void> {
  await replaceFile(file, (text) => {
    if (text === undefined) throw new PasswordFileError(`${file} does not exist`);
    const replaced = replaceUser(valid(file, text), user, []);
    if (!replaced.found) throw new PasswordFileError(`${file} has no user "${user}"`);
    return replaced.text;
  });
}

/** The text, if a broker could load it: a file that it would refuse is not touched or made. */
function valid(file: string, text: string): string {
  try {
    parseCredentials(text);
    return text;
  } catch (error) {
    if (error instanceof CredentialError) throw new PasswordFileError(`${file}, ${error.message}`);
    throw error;
  }
}

/** The lines of a password file for this user. Rejects with PasswordFileError if there can be none. */
export async function credentialLines(
  user: string,
  password: string,
  kinds: readonly CredentialKind[] = bothKinds,
): Promise<string[]> {
  const problem = userNameProblem(user);
  if (problem !== undefined) throw new PasswordFileError(problem);
  if (password === "") throw new PasswordFileError("the password is empty");
  if (Buffer.byteLength(password) > 65_535) {
    throw new PasswordFileError("the password is longer than MQTT allows");
  }
  return Promise.all(kinds.map(async (kind) => `${user}:${await credential(kind, password)}`));
}

async function credential(kind: CredentialKind, password: string): Promise<string> {
  if (kind === "argon2id") return hashPassword(password);
  const scram = await scramCredential(password);
  if (scram === undefined) {
    throw new PasswordFileError("the password has characters that SCRAM-SHA-256 does not allow");
  }
  return formatScram(scram);
}

/** Puts `lines` where the user's first line was, or at the end; all other lines stay as they are. */
export function replaceUser(
  text: string,
  user: string,
  lines: readonly string[],
): { readonly text: string; readonly found: boolean } {
  const old = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const place = old.findIndex((line) => userOfLine(line) === user);
  const found = place >= 0;
  const kept = (part: string[]) => part.filter((line) => userOfLine(line) !== user);
  const all = found
    ? [...old.slice(0, place), ...lines, ...kept(old.slice(place))]
    : [...old, ...lines];
  return { text: all.map((line) => `${line}\n`).join(""), found };
}
