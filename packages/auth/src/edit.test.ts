import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@canopy/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { verifyPassword } from "./argon2.ts";
import { parseCredentials } from "./credentials.ts";
import { deleteUser, replaceUser, setPassword } from "./edit.ts";
import { replaceFile } from "./replace-file.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = async (path: string) => parseCredentials(await readFile(path, "utf8"));
const matches = async (path: string, user: string, password: string) =>
  verifyPassword((await read(path)).accounts.get(user)?.argon2 ?? "", bytes(password));

describe("setPassword", () => {
  test("makes the file, for its owner only, with a line of each kind", async () => {
    const path = join(await tempDir(), "passwords");
    expect(await setPassword(path, "ann", "secret")).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await read(path)).accounts.get("ann")?.scram).toBeDefined();
    expect(await matches(path, "ann", "secret")).toBe(true);
  });

  test("replaces the user's lines where they are and leaves all others alone", async () => {
    const path = join(await tempDir(), "passwords");
    await setPassword(path, "ann", "a");
    await setPassword(path, "bob", "b", ["argon2id"]);
    const [ann1, ann2, bob] = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `# users\n${ann1}\n\n${bob}\r\n  # the other half of ann\n${ann2}`);
    expect(await setPassword(path, "ann", "c", ["argon2id"])).toBe(false);
    const lines = (await readFile(path, "utf8")).split("\n");
    expect(lines[1]).toMatch(/^ann:\$argon2id/);
    expect([lines[0], ...lines.slice(2)]).toEqual([
      "# users",
      "",
      `${bob}\r`,
      "  # the other half of ann",
      "",
    ]);
    expect(await matches(path, "ann", "c")).toBe(true);
    expect((await read(path)).accounts.get("ann")?.scram).toBeUndefined();
  });

  test("keeps the mode of a file, but not for others", async () => {
    const path = join(await tempDir(), "passwords");
    await writeFile(path, "");
    await chmod(path, 0o644);
    await setPassword(path, "ann", "a", ["argon2id"]);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  test("follows a symbolic link to the file", async () => {
    const folder = await tempDir();
    await mkdir(join(folder, "real"));
    await writeFile(join(folder, "real", "passwords"), "# here\n");
    await symlink(join("real", "passwords"), join(folder, "link"));
    await setPassword(join(folder, "link"), "ann", "a", ["argon2id"]);
    expect(await readFile(join(folder, "real", "passwords"), "utf8")).toMatch(/^# here\nann:/);
  });

  test.each([
    ["a:b", "x", 'cannot contain ":"'],
    ["", "x", "user name is empty"],
    ["a\nb", "x", "control characters"],
    ["ann", "", "password is empty"],
    ["ann", "a\u0007", "SCRAM-SHA-256 does not allow"],
    ["ann", "x".repeat(65_536), "longer than MQTT allows"],
  ])("refuses user %j with password %j", async (user, password, message) => {
    const folder = await tempDir();
    await expect(setPassword(join(folder, "passwords"), user, password)).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual([]);
  });

  test("does not touch a file that is not valid", async () => {
    const folder = await tempDir();
    const path = join(folder, "passwords");
    await writeFile(path, "# users\nann\n");
    await expect(setPassword(path, "bob", "b")).rejects.toThrow("passwords, line 2:");
    expect(await readFile(path, "utf8")).toBe("# users\nann\n");
    expect(await readdir(folder)).toEqual(["passwords"]);
  });

  test("at the same time as others loses nothing", async () => {
    const path = join(await tempDir(), "passwords");
    const names = Array.from({ length: 12 }, (_, index) => `user${index}`);
    await Promise.all(names.map((name) => setPassword(path, name, name, ["argon2id"])));
    expect([...(await read(path)).accounts.keys()].sort()).toEqual(names.sort());
  });
});

describe("deleteUser", () => {
  test("removes all lines of the user", async () => {
    const path = join(await tempDir(), "passwords");
    await setPassword(path, "ann", "a");
    await setPassword(path, "bob", "b");
    await deleteUser(path, "ann");
    expect([...(await read(path)).accounts.keys()]).toEqual(["bob"]);
  });

  test("says so when there is no such user or no file", async () => {
    const path = join(await tempDir(), "passwords");
    await expect(deleteUser(path, "ann")).rejects.toThrow("does not exist");
    await writeFile(path, "# ann:x\n");
    await expect(deleteUser(path, "ann")).rejects.toThrow('no user "ann"');
  });
});

describe("replaceFile", () => {
  test("leaves everything as it was when the change fails", async () => {
    const folder = await tempDir();
    const path = join(folder, "file");
    await writeFile(path, "old");
    const failing = replaceFile(path, () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["file"]);
  });

  test("gives up when the lock stays", async () => {
    const path = join(await tempDir(), "file");
    await writeFile(`${path}.lock`, "");
    await expect(replaceFile(path, () => "new", 0)).rejects.toThrow("file.lock exists");
  });
});

test("replacing a user changes no other line", () => {
  const name = fc.constantFrom("ann", "bob", "cyd");
  const line = fc.oneof(
    name.map((user) => `${user}:x`),
    fc.constantFrom("", "# ann:x", "  #", "no colon", "bob:y\r"),
  );
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.constantFrom("ann:1", "ann:2")), (old, lines) => {
      const before = old.map((one) => `${one}\n`).join("");
      const { text, found } = replaceUser(before, "ann", lines);
      const others = (all: string) => all.split("\n").filter((one) => !one.startsWith("ann:"));
      expect(others(text)).toEqual(others(before));
      expect(found).toBe(old.some((one) => one.startsWith("ann:")));
      expect(text.split("\n").filter((one) => one.startsWith("ann:"))).toEqual(lines);
    }),
  );
});
