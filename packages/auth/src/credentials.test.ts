import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { argon2Cost } from "./argon2.ts";
import { parseCredentials, userNameProblem } from "./credentials.ts";
import { formatScram, parseScram } from "./scram-credential.ts";

const argon2 =
  "$argon2id$v=19$m=19456,t=2,p=1$cCQumgjybX5oxfpZJq0rEQ$WSaymCtDSviufPNFoFGDsUnV5ayKJmg2T5IVnTkiZ7Y";
const key = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
const scram = `SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$${key}:${key}`;

describe("the password file", () => {
  test("has comments, empty lines and lines of either kind", () => {
    const text = `# users\n\n  # more\nann:${argon2}\r\nbob:${scram}\nann:${scram}\n`;
    const { accounts, scramAccounts } = parseCredentials(text);
    expect([...accounts.keys()]).toEqual(["ann", "bob"]);
    expect(accounts.get("ann")).toMatchObject({ user: "ann", argon2, scram: { iterations: 4096 } });
    expect(accounts.get("bob")?.argon2).toBeUndefined();
    expect([...scramAccounts.keys()]).toEqual(["bob", "ann"]);
  });

  test("finds SCRAM users by the prepared form of their name", () => {
    const { scramAccounts } = parseCredentials(`\u2168:${scram}`);
    expect(scramAccounts.get("IX")?.user).toBe("\u2168");
  });

  test.each([
    ["ann", 'line 2: expected "user:credential"'],
    ["ann:secret", "line 2: neither an argon2id hash"],
    ["ann:", "line 2: neither an argon2id hash"],
    [`:${argon2}`, "line 2: the user name is empty"],
    [`ann :${argon2}`, "line 2: a user name cannot start or end with a space"],
    [`an\tn:${argon2}`, "line 2: a user name cannot contain control characters"],
    [`ann:${argon2.replace("argon2id", "argon2i")}`, "line 2: neither"],
    [`ann:${argon2.replace("p=1", "p=0")}`, "line 2: neither"],
    [`ann:${argon2.replace("m=19456", "m=4")}`, "line 2: neither"],
    [`ann:${argon2.slice(0, -1)}`, "line 2: neither"],
    [`ann:${scram.replace("4096", "4095")}`, "line 2: not a SCRAM-SHA-256 credential"],
    [`ann:${scram.slice(0, -4)}`, "line 2: not a SCRAM-SHA-256 credential"],
    [`ann:${argon2}\nann:${argon2}`, 'line 3: a second argon2id line for "ann"'],
    [`ann:${scram}\nann:${argon2}\nann:${scram}`, "line 4: a second SCRAM-SHA-256 line"],
    [`IX:${scram}\n\u2168:${scram}`, 'line 3: to SCRAM this is the same user name as "IX"'],
    [`\ue000:${scram}`, "line 2: SCRAM prohibits characters of this user name"],
  ])("is not valid with %j", (lines, message) => {
    expect(() => parseCredentials(`# a comment\n${lines}\n`)).toThrow(message);
  });

  test("gives unknown users the form that most of its users have", () => {
    const light = argon2.replace("m=19456,t=2", "m=8192,t=1");
    const file = parseCredentials(`a:${argon2}\nb:${light}\nc:${light}\nd:${scram}\n`);
    expect(argon2Cost(file.decoy.argon2)).toEqual({ memory: 8192, passes: 1, lanes: 1 });
    expect(file.decoy).toMatchObject({ iterations: 4096, saltLength: 16 });
  });

  test("whatever it holds, it is parsed or refused with a line number", () => {
    const piece = fc.constantFrom("ann", "bob", ":", "\n", "#", " ", argon2, scram, "$", "\r");
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(text, (content) => {
        let problem: unknown;
        try {
          parseCredentials(content);
        } catch (error) {
          problem = error;
        }
        const refused = expect.objectContaining({ name: "CredentialError" });
        expect([undefined, refused]).toContainEqual(problem);
      }),
    );
  });
});

test("a SCRAM credential is read as it was written", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(
      fc.integer({ min: 4096, max: 1_000_000 }),
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      bytes(32),
      bytes(32),
      (iterations, salt, storedKey, serverKey) => {
        const written = formatScram({ iterations, salt, storedKey, serverKey });
        const read = parseScram(written);
        expect(read && formatScram(read)).toBe(written);
      },
    ),
  );
});

test.each(["a:b", "", "a\nb", "#a", " a", "a\u0000", "u".repeat(65_536)])(
  "%j cannot be a user name",
  (user) => {
    expect(userNameProblem(user)).toBeDefined();
  },
);
