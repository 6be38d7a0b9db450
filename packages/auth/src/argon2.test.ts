import { expect, test } from "vitest";
import {
  argon2Cost,
  decoyHash,
  defaultArgon2Cost,
  hashPassword,
  verifyPassword,
} from "./argon2.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const light = { memory: 64, passes: 1, lanes: 1 };

test("a password matches its own hash only", async () => {
  const encoded = await hashPassword("pässword", light);
  expect(await verifyPassword(encoded, bytes("pässword"))).toBe(true);
  expect(await verifyPassword(encoded, bytes("password"))).toBe(false);
  expect(await verifyPassword(encoded, bytes(""))).toBe(false);
});

test("a hash tells what it costs", async () => {
  expect(argon2Cost(await hashPassword("x", light))).toEqual(light);
  expect(argon2Cost(await hashPassword("x"))).toEqual(defaultArgon2Cost);
});

test("passwords are bytes, not text", async () => {
  const password = Uint8Array.of(0xff, 0x00, 0xfe);
  const encoded = await hashPassword(password, light);
  expect(await verifyPassword(encoded, password)).toBe(true);
  expect(await verifyPassword(encoded, Uint8Array.of(0xff))).toBe(false);
});

test("a decoy is a hash of the same cost that no password matches", async () => {
  const decoy = decoyHash(light);
  expect(argon2Cost(decoy)).toEqual(light);
  expect(await verifyPassword(decoy, bytes(""))).toBe(false);
});

// Of the reference implementation's test suite, so that files of other tools are read.
test('the reference implementation\'s hash of "password" is verified', async () => {
  const encoded =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  expect(argon2Cost(encoded)).toEqual({ memory: 256, passes: 2, lanes: 1 });
  expect(await verifyPassword(encoded, bytes("password"))).toBe(true);
});
