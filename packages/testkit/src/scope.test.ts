import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "./free-port.ts";
import { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

test("a scope undoes everything in reverse, whatever fails", async () => {
  const scope = new Scope();
  const undone: number[] = [];
  scope.defer(() => undone.push(1));
  scope.defer(() => Promise.reject(new Error("two")));
  scope.defer(async () => undone.push(3));
  await expect(scope.close()).rejects.toThrow("two");
  expect(undone).toEqual([3, 1]);
  await scope.close();
  expect(undone).toEqual([3, 1]);
});

test("a temporary folder is gone with its content when its scope ends", async () => {
  const scope = new Scope();
  const [one, other] = [await tempDir(scope), await tempDir(scope)];
  expect(one).not.toBe(other);
  await writeFile(join(one, "file"), "content");
  await scope.close();
  expect([existsSync(one), existsSync(other)]).toEqual([false, false]);
});

test("without a scope it is gone when the test has finished", async ({ onTestFinished }) => {
  let path = "";
  // Registered first, so it runs last.
  onTestFinished(() => expect(existsSync(path)).toBe(false));
  path = await tempDir();
  expect(existsSync(path)).toBe(true);
});

test("a free port is one", async () => {
  expect(await freePort()).toBeGreaterThan(0);
});
