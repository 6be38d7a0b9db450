import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, silentLogger } from "@canopy/base";
import { FakeTime, tempDir, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { hashPassword } from "./argon2.ts";
import { PasswordFile } from "./password-file.ts";

const line = async (user: string): Promise<string> =>
  `${user}:${await hashPassword("secret", { memory: 64, passes: 1, lanes: 1 })}\n`;

async function opened(content: string) {
  const path = join(await tempDir(), "passwords");
  await writeFile(path, content);
  const time = new FakeTime();
  const log: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => log.push(message),
    error: (_fields, message) => log.push(message),
  };
  const file = new PasswordFile({ path, interval: 100 }, { timers: time, logger });
  await file.start();
  testScope().defer(() => file.stop());
  /** One poll from beginning to end. */
  const poll = async () => {
    time.advance(100);
    await waitFor(() => time.pending === 1, { what: "the end of a poll" });
  };
  return { path, file, log, time, poll };
}

const users = (file: PasswordFile): string[] => [...file.credentials.accounts.keys()];

test("a file that is missing or wrong does not start", async () => {
  const path = join(await tempDir(), "passwords");
  const parts = { timers: new FakeTime(), logger: silentLogger };
  await expect(new PasswordFile({ path }, parts).start()).rejects.toThrow("no such file");
  await writeFile(path, "# users\nann\n");
  await expect(new PasswordFile({ path }, parts).start()).rejects.toThrow("passwords: line 2:");
  await writeFile(path, Uint8Array.of(0x61, 0xff));
  await expect(new PasswordFile({ path }, parts).start()).rejects.toThrow("not valid");
});

test("a change is seen: written in place, replaced, or of the same length", async () => {
  const { path, file, poll, log } = await opened(await line("ann"));
  expect(users(file)).toEqual(["ann"]);
  await poll();
  expect(log).toEqual([]);

  await writeFile(path, await line("bob"));
  await poll();
  expect(users(file)).toEqual(["bob"]);

  await writeFile(`${path}.new`, (await line("cyd")) + (await line("dan")));
  await rename(`${path}.new`, path);
  await poll();
  expect(users(file)).toEqual(["cyd", "dan"]);
  expect(log).toEqual(["password file reloaded", "password file reloaded"]);
});

test("a broken content is one error with its line, and the users stay", async () => {
  const { path, file, poll, log } = await opened(await line("ann"));
  await writeFile(path, `${await line("bob")}bob's password\n`);
  await poll();
  await poll();
  expect(users(file)).toEqual(["ann"]);
  expect(log).toEqual([
    'password file: line 2: expected "user:credential"; the users stay as they were',
  ]);
  await writeFile(path, await line("bob"));
  await poll();
  expect(users(file)).toEqual(["bob"]);
});

test("a file that is gone is one error, and read again when it is back", async () => {
  const { path, file, poll, log } = await opened(await line("ann"));
  await rm(path);
  await poll();
  await poll();
  expect(users(file)).toEqual(["ann"]);
  expect(log).toEqual([expect.stringContaining("no such file")]);
  await writeFile(path, await line("bob"));
  await poll();
  expect(users(file)).toEqual(["bob"]);
});

test("nothing runs after stop", async () => {
  const { file, time } = await opened(await line("ann"));
  time.advance(100);
  await file.stop();
  expect(time.pending).toBe(0);
});
