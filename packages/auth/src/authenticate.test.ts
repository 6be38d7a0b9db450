import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { silentLogger } from "@canopy/base";
import { FakeTime, tempDir, testScope } from "@canopy/testkit";
import { expect, test } from "vitest";
import { hashPassword } from "./argon2.ts";
import { type AuthenticationConfig, authentication } from "./authenticate.ts";
import { allowAll } from "./authorize.ts";
import type { Authenticator, Peer } from "./port.ts";

const peer: Peer = {
  address: "::1",
  listener: "tcp://[::1]:1883",
  clientId: "c",
  protocolVersion: 5,
};
const secret = new TextEncoder().encode("secret");
const light = { memory: 64, passes: 1, lanes: 1 };

async function authenticator(config: Omit<AuthenticationConfig, "passwordFile">, file = false) {
  const path = join(await tempDir(), "passwords");
  await writeFile(path, `ann:${await hashPassword(secret, light)}\n`);
  const time = new FakeTime();
  const parts = { clock: time, timers: time, logger: silentLogger };
  const made = authentication(file ? { ...config, passwordFile: path } : config, parts);
  await made.start();
  testScope().defer(() => made.stop());
  return made;
}

const accepted = (user: string | undefined) => ({ ok: true, identity: { user } });
const refused = (reason: number) => expect.objectContaining({ ok: false, reason });
const nobody = (of: Authenticator) => of.connect(peer, undefined, undefined);
const ann = (of: Authenticator, password?: Uint8Array) => of.connect(peer, "ann", password);

test("anonymous without a file: everybody is let in, a user name proves nothing", async () => {
  const any = await authenticator({ anonymous: true });
  expect(await nobody(any)).toEqual(accepted(undefined));
  expect(await ann(any, secret)).toEqual(accepted(undefined));
  expect(any.exchange("SCRAM-SHA-256", peer)).toBeUndefined();
});

test("anonymous without a file, strict: whoever gives a user name is refused", async () => {
  const any = await authenticator({ anonymous: true, ignoreUserNames: false });
  expect(await nobody(any)).toEqual(accepted(undefined));
  expect(await ann(any, secret)).toEqual(refused(0x86));
});

test("a file: users by password, 0x86 for a bad one, 0x87 for no user name", async () => {
  const file = await authenticator({ anonymous: false }, true);
  expect(await ann(file, secret)).toEqual(accepted("ann"));
  expect(await ann(file, secret.subarray(1))).toEqual(refused(0x86));
  expect(await ann(file)).toEqual(refused(0x86));
  expect(await file.connect(peer, "eve", secret)).toEqual(refused(0x86));
  expect(await file.connect(peer, "", secret)).toEqual(refused(0x86));
  expect(await nobody(file)).toEqual(refused(0x87));
  expect(await file.connect(peer, undefined, secret)).toEqual(refused(0x87));
});

test("a file and anonymous: a user name that is given must be proven", async () => {
  const both = await authenticator({ anonymous: true }, true);
  expect(await nobody(both)).toEqual(accepted(undefined));
  expect(await ann(both, secret)).toEqual(accepted("ann"));
  expect(await ann(both, Uint8Array.of())).toEqual(refused(0x86));
});

test("a file: SCRAM-SHA-256 is the only method", async () => {
  const file = await authenticator({ anonymous: true }, true);
  expect(file.exchange("SCRAM-SHA-256", peer)).toBeDefined();
  expect(file.exchange("SCRAM-SHA-1", peer)).toBeUndefined();
  expect(file.exchange("scram-sha-256", peer)).toBeUndefined();
  expect(file.exchange("", peer)).toBeUndefined();
});

test("too many at once are told that the server is busy", async () => {
  const file = await authenticator(
    { anonymous: false, passwordCheck: { concurrency: 1, queue: 0 } },
    true,
  );
  const answers = await Promise.all([ann(file, secret), file.connect(peer, "bob", secret)]);
  expect(answers).toEqual([accepted("ann"), refused(0x89)]);
});

test("a configuration with which nobody could connect is refused", () => {
  const time = new FakeTime();
  const parts = { clock: time, timers: time, logger: silentLogger };
  expect(() => authentication({ anonymous: false }, parts)).toThrow("nobody could connect");
});

test("allowAll allows all", () => {
  const identity = { user: undefined };
  expect(allowAll.publish(identity, peer, "$SYS/x", 2, true)).toBe(true);
  expect(allowAll.subscribe(identity, peer, "#", 2, "group")).toBe(true);
});
