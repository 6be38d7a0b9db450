import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { collectTests } from "./tests.ts";

/** A project below this one, so that it finds vitest. */
function project(files: Record<string, string>): string {
  const parent = join(import.meta.dirname, "../../node_modules/.cache");
  mkdirSync(parent, { recursive: true });
  const root = mkdtempSync(join(parent, "conformance-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, "vitest.config.ts"), "export default {};\n");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  return root;
}

const IMPORT = 'import { describe, test } from "vitest";\n';

test("finds the names that tests get when they are loaded, without running them", async () => {
  const root = project({
    "b.test.ts": `${IMPORT}
      describe("suite", () => {
        test.each([1, 2])("each %i", () => { throw new Error("it ran"); });
      });`,
    "a.test.ts": `${IMPORT}
      for (const name of ["z", "y"]) test(name, () => { throw new Error("it ran"); });
      test.skipIf(true)("not on this machine", () => {});`,
  });
  const tests = await collectTests(root);
  expect(tests.map(({ file, name }) => [file, name])).toEqual([
    ["a.test.ts", "z"],
    ["a.test.ts", "y"],
    ["a.test.ts", "not on this machine"],
    ["b.test.ts", "suite > each 1"],
    ["b.test.ts", "suite > each 2"],
  ]);
  expect(tests[3]?.place).toBe(tests[4]?.place);
  expect(tests[0]?.place).not.toBe(tests[2]?.place);
}, 30_000);

test("a file that cannot be loaded is an error, not a file without tests", async () => {
  const root = project({ "a.test.ts": `${IMPORT}\nthrow new Error("broken");` });
  await expect(collectTests(root)).rejects.toThrow("test files that cannot be loaded");
}, 30_000);
