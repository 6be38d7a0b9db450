import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { tempDir } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { verifyPassword } from "./argon2.ts";
import { parseCredentials } from "./credentials.ts";
import { passwdCommand } from "./passwd.ts";
import type { Input } from "./prompt.ts";

async function run(argv: string[], stdin: Input) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const ended = passwdCommand(argv, { stdin, stdout, stderr }).finally(() => {
    stdout.end();
    stderr.end();
  });
  const [code, out, err] = await Promise.all([ended, text(stdout), text(stderr)]);
  return { code, out, err };
}

function pipe(content: string | Uint8Array): Input {
  const stream = new PassThrough();
  stream.end(content);
  return stream;
}

/** A terminal at which these keys are pressed; it records when echo is off. */
function terminal(...typed: (string | Uint8Array)[]): Input & { raw: boolean[] } {
  const raw: boolean[] = [];
  const stream = new PassThrough();
  for (const keys of typed) stream.write(keys);
  return Object.assign(stream, { isTTY: true, raw, setRawMode: (on: boolean) => raw.push(on) });
}

async function isPassword(file: string, user: string, password: string): Promise<boolean> {
  const account = parseCredentials(await readFile(file, "utf8")).accounts.get(user);
  return verifyPassword(account?.argon2 ?? "", new TextEncoder().encode(password));
}

const newFile = async () => join(await tempDir(), "passwords");

describe("from a pipe", () => {
  test.each(["secret\n", "secret", "secret\r\n", "secret\nmore\n"])(
    "%j is one line",
    async (input) => {
      const file = await newFile();
      expect(await run([file, "ann"], pipe(input))).toEqual({
        code: 0,
        out: "ann added\n",
        err: "",
      });
      expect(await isPassword(file, "ann", "secret")).toBe(true);
    },
  );

  test("changes, and only one kind if asked for", async () => {
    const file = await newFile();
    await run([file, "ann"], pipe("old\n"));
    expect(await run(["--only", "scram", file, "ann"], pipe("new\n"))).toMatchObject({
      code: 0,
      out: "ann changed\n",
    });
    expect(await readFile(file, "utf8")).toMatch(/^ann:SCRAM-SHA-256\$[^\n]+\n$/);
  });

  test("an empty password is refused", async () => {
    const file = await newFile();
    for (const input of ["", "\n"]) {
      expect(await run([file, "ann"], pipe(input))).toMatchObject({
        code: 2,
        err: "canopy passwd: the password is empty\n",
      });
    }
  });
});

describe("at a terminal", () => {
  test("asks twice, shows nothing, and puts the terminal back", async () => {
    const file = await newFile();
    const tty = terminal("sécret\rsécret\r");
    const result = await run([file, "ann"], tty);
    expect(result).toEqual({
      code: 0,
      out: "ann added\n",
      err: "Password for ann: \nOnce more: \n",
    });
    expect(tty.raw).toEqual([true, false]);
    expect(await isPassword(file, "ann", "sécret")).toBe(true);
  });

  test("knows backspace and Ctrl-U, and characters that come in pieces", async () => {
    const file = await newFile();
    const first = Array.from(Buffer.from("wrong\x15a😀x\x7f\x7fé\r"), (byte) =>
      Uint8Array.of(byte),
    );
    expect(await run([file, "ann"], terminal(...first, "aé\r"))).toMatchObject({ code: 0 });
    expect(await isPassword(file, "ann", "aé")).toBe(true);
  });

  test.each([
    ["one\rtwo\r", "the passwords differ, nothing was changed"],
    ["one\r\x03", "interrupted, nothing was changed"],
    ["\x04", "interrupted, nothing was changed"],
    ["\r\r", "the password is empty"],
  ])("%j is refused", async (typed, message) => {
    const tty = terminal(typed);
    const result = await run([await newFile(), "ann"], tty);
    expect(result.code).toBe(2);
    expect(result.err).toContain(message);
    expect(tty.raw).toEqual([true, false]);
  });
});

describe("errors and exit codes", () => {
  test("--delete removes the user, and says when there is none", async () => {
    const file = await newFile();
    await run([file, "ann"], pipe("secret"));
    expect(await run(["-D", file, "ann"], pipe(""))).toEqual({
      code: 0,
      out: "ann deleted\n",
      err: "",
    });
    const again = await run(["--delete", file, "ann"], pipe(""));
    expect(again.code).toBe(2);
    expect(again.err).toContain('has no user "ann"');
  });

  test.each([
    [[], "expected FILE and USER"],
    [["file"], "expected FILE and USER"],
    [["file", "user", "password"], "expected FILE and USER"],
    [["--batch", "file", "user"], "--batch"],
    [["--only", "md5", "file", "user"], "--only takes argon2id or scram"],
    [["file", "a:b"], 'cannot contain ":"'],
    [["/nowhere/file", "ann"], "no such file or directory"],
  ])("%j is refused", async (argv, message) => {
    const result = await run(argv, pipe("secret"));
    expect(result.code).toBe(2);
    expect(result.err).toMatch(/^canopy passwd: /);
    expect(result.err).toContain(message);
    expect(result.out).toBe("");
  });

  test("--help shows how it is used", async () => {
    const result = await run(["--help"], pipe(""));
    expect(result.code).toBe(0);
    expect(result.out).toContain("Usage: canopy passwd");
  });

  test("a file that is not valid is named with its line", async () => {
    const file = await newFile();
    await writeFile(file, "broken\n");
    const result = await run([file, "ann"], pipe("secret"));
    expect(result.err).toContain(`${file}, line 1:`);
  });
});
