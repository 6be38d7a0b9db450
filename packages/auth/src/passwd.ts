import type { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { type CredentialKind, userNameProblem } from "./credentials.ts";
import { deleteUser, PasswordFileError, setPassword } from "./edit.ts";
import { askHidden, type Input, readLine } from "./prompt.ts";
import { FileLocked } from "./replace-file.ts";

export interface PasswdIo {
  readonly stdin: Input;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

const usage = `Usage: canopy passwd [--only argon2id|scram] FILE USER
       canopy passwd --delete FILE USER

Adds USER to the password file FILE, or changes the password. FILE is made if it is not there.
The password is asked for at a terminal, or read as one line from a pipe.

      --only KIND  argon2id: for clients that send user name and password only;
                   scram: for clients that use SCRAM-SHA-256 only (without: for both)
  -D, --delete     remove USER from FILE
  -h, --help       show this
`;

const kindsByName: ReadonlyMap<string, readonly CredentialKind[]> = new Map([
  ["both", ["argon2id", "SCRAM-SHA-256"]],
  ["argon2id", ["argon2id"]],
  ["scram", ["SCRAM-SHA-256"]],
]);

/** `canopy passwd …`: argv is what follows "passwd". Resolves to the exit code, 0 or 2. */
export async function passwdCommand(argv: readonly string[], io: PasswdIo): Promise<number> {
  try {
    io.stdout.write(await run(argv, io));
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    io.stderr.write(`canopy passwd: ${error.message}\n`);
    return 2;
  }
}

async function run(argv: readonly string[], io: PasswdIo): Promise<string> {
  const { values, positionals } = parse(argv);
  if (values.help) return usage;
  const [file, user] = positionals;
  if (file === undefined || user === undefined || positionals.length > 2) {
    throw new PasswordFileError(`expected FILE and USER\n\n${usage}`);
  }
  if (values.delete) {
    await deleteUser(file, user);
    return `${user} deleted\n`;
  }
  const kinds = kindsByName.get(values.only);
  if (kinds === undefined) throw new PasswordFileError("--only takes argon2id or scram");
  const problem = userNameProblem(user);
  if (problem !== undefined) throw new PasswordFileError(problem);
  const added = await setPassword(file, user, await password(user, io), kinds);
  return `${user} ${added ? "added" : "changed"}\n`;
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      delete: { type: "boolean", short: "D", default: false },
      only: { type: "string", default: "both" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

async function password(user: string, io: PasswdIo): Promise<string> {
  if (io.stdin.isTTY !== true) return readLine(io.stdin);
  const questions = [`Password for ${user}: `, "Once more: "];
  const answers = await askHidden(questions, io.stdin, io.stderr);
  if (answers === undefined) throw new PasswordFileError("interrupted, nothing was changed");
  const [first = "", second = ""] = answers;
  if (first !== second) throw new PasswordFileError("the passwords differ, nothing was changed");
  return first;
}

/** Wrong arguments, a file that is not valid, and what the file system refuses. */
function isExpected(error: unknown): error is Error {
  if (error instanceof PasswordFileError || error instanceof FileLocked) return true;
  if (!(error instanceof Error)) return false;
  const fromArguments = "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
  return fromArguments || "syscall" in error;
}
