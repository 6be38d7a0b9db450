import { Deferred } from "@canopy/base";
import { FakeTime, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { hashPassword } from "./argon2.ts";
import { type Credentials, parseCredentials } from "./credentials.ts";
import { PasswordCheck, type PasswordCheckOptions } from "./password-check.ts";

const light = { memory: 64, passes: 1, lanes: 1 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function file(users: Record<string, string>): Promise<Credentials> {
  const lines = Object.entries(users).map(
    async ([user, password]) => `${user}:${await hashPassword(password, light)}`,
  );
  return parseCredentials((await Promise.all(lines)).join("\n"));
}

/** Verification stands in for argon2: it counts, and says yes to "right". */
function counted(options: PasswordCheckOptions = {}) {
  const time = new FakeTime();
  const seen: string[] = [];
  const gates: Deferred[] = [];
  const state = { gated: false };
  const check = new PasswordCheck(options, {
    clock: time,
    verify: async (encoded, password) => {
      seen.push(encoded);
      if (state.gated) {
        const gate = new Deferred();
        gates.push(gate);
        await gate.promise;
      }
      return Buffer.from(password).toString() === "right";
    },
  });
  return { check, time, seen, gates, state };
}

test("with argon2: right, wrong, and unknown", async () => {
  const users = await file({ ann: "secret", bob: "hidden" });
  const check = new PasswordCheck({}, { clock: new FakeTime() });
  expect(await check.check(users, "ann", bytes("secret"))).toBe("right");
  expect(await check.check(users, "ann", bytes("secret"))).toBe("right");
  expect(await check.check(users, "ann", bytes("hidden"))).toBe("wrong");
  expect(await check.check(users, "bob", bytes("secret"))).toBe("wrong");
  expect(await check.check(users, "eve", bytes("secret"))).toBe("wrong");
});

test("an unknown user costs a verification at the usual cost, each time", async () => {
  const users = await file({ ann: "right" });
  const { check, seen } = counted();
  expect(await check.check(users, "eve", bytes("right"))).toBe("wrong");
  expect(await check.check(users, "eve", bytes("right"))).toBe("wrong");
  expect(seen).toEqual([users.decoy.argon2, users.decoy.argon2]);
  expect(users.decoy.argon2).toContain("m=64,t=1,p=1");
});

test("a right password is verified once, a wrong one each time", async () => {
  const users = await file({ ann: "right" });
  const { check, seen } = counted();
  for (let i = 0; i < 3; i++) await check.check(users, "ann", bytes("right"));
  expect(seen.length).toBe(1);
  for (let i = 0; i < 3; i++) await check.check(users, "ann", bytes("wrong"));
  expect(seen.length).toBe(4);
});

test("what is remembered ends some time after its last use", async () => {
  const users = await file({ ann: "right" });
  const { check, seen, time } = counted({ cacheLifetime: 1000 });
  await check.check(users, "ann", bytes("right"));
  time.advance(999);
  await check.check(users, "ann", bytes("right"));
  time.advance(999);
  await check.check(users, "ann", bytes("right"));
  expect(seen.length).toBe(1);
  time.advance(1000);
  await check.check(users, "ann", bytes("right"));
  expect(seen.length).toBe(2);
});

test("the least recently used is forgotten when there are too many", async () => {
  const users = await file({ ann: "right", bob: "right", cyd: "right" });
  const { check, seen } = counted({ cacheSize: 2 });
  for (const user of ["ann", "bob", "ann", "cyd"]) await check.check(users, user, bytes("right"));
  expect(seen.length).toBe(3);
  await check.check(users, "ann", bytes("right"));
  expect(seen.length).toBe(3);
  await check.check(users, "bob", bytes("right"));
  expect(seen.length).toBe(4);
});

test("a changed or deleted line takes effect at once", async () => {
  const { check, seen } = counted();
  const before = await file({ ann: "right" });
  const after = await file({ ann: "right" });
  await check.check(before, "ann", bytes("right"));
  await check.check(after, "ann", bytes("right"));
  expect(seen.length).toBe(2);
  expect(await check.check(await file({}), "ann", bytes("right"))).toBe("wrong");
});

test("a crowd is verified a few at a time, and the part that cannot wait is told so", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `user${index}`);
  const users = await file(Object.fromEntries(names.map((name) => [name, "right"])));
  const { check, seen, gates, state } = counted({ concurrency: 2, queue: 3 });
  state.gated = true;
  const verdicts = names.map((name) => check.check(users, name, bytes("right")));
  await waitFor(() => seen.length === 2);
  for (let open = 1; open <= 5; open++) {
    const gate = await waitFor(() => gates.shift());
    expect(seen.length).toBeLessThanOrEqual(open + 1);
    gate.resolve();
  }
  expect(await Promise.all(verdicts)).toEqual([
    ...Array.from({ length: 5 }, () => "right"),
    ...Array.from({ length: 5 }, () => "busy"),
  ]);
});

test("clients that say the same at the same time share one verification", async () => {
  const users = await file({ ann: "right" });
  const { check, seen, gates, state } = counted({ concurrency: 1, queue: 0 });
  state.gated = true;
  const verdicts = [1, 2, 3].map(() => check.check(users, "ann", bytes("right")));
  (await waitFor(() => gates.shift())).resolve();
  expect(await Promise.all(verdicts)).toEqual(["right", "right", "right"]);
  expect(seen.length).toBe(1);
});

test("a verification that fails is not remembered", async () => {
  const users = await file({ ann: "right" });
  let calls = 0;
  const check = new PasswordCheck(
    {},
    {
      clock: new FakeTime(),
      verify: async () => {
        if (calls++ === 0) throw new Error("out of memory");
        return true;
      },
    },
  );
  await expect(check.check(users, "ann", bytes("right"))).rejects.toThrow("out of memory");
  expect(await check.check(users, "ann", bytes("right"))).toBe("right");
});
