import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createVitest, type TestCase } from "vitest/node";

/** A test as vitest knows it. */
export interface NamedTest {
  /** Path from the repository's root. */
  readonly file: string;
  /** Names of its suites and its own, separated by ` > `. */
  readonly name: string;
  /** Where it is written; the same for all tests of one `test.each` or loop. */
  readonly place: string;
}

/**
 * All tests of the repository, by file and there in the order of the source. The files are loaded,
 * not run, so that names made by `test.each`, loops and script files are there too. Tests that
 * depend on the machine (`skipIf`) count, so that the result is the same everywhere.
 */
export async function collectTests(root: string): Promise<NamedTest[]> {
  // some run against several targets: their files are loaded once
  const project = ["!processes-cluster"];
  const options = { root, project, watch: false, includeTaskLocation: true, reporters: [] };
  const vitest = await createVitest(options);
  try {
    const { testModules, unhandledErrors } = await vitest.collect([], { staticParse: false });
    const errors = [...testModules.flatMap((module) => module.errors()), ...unhandledErrors];
    if (errors.length > 0) throw new AggregateError(errors, "test files that cannot be loaded");
    const tests = testModules.flatMap((module) => [...module.children.allTests()]);
    return tests.map((test) => named(test, root)).sort(byFile);
  } finally {
    await vitest.close();
  }
}

function named(test: TestCase, root: string): NamedTest {
  const { line = 0, column = 0 } = test.location ?? {};
  return {
    file: relative(root, test.module.moduleId).replaceAll("\\", "/"),
    name: test.fullName,
    place: `${line}:${column}`,
  };
}

/** The sort is stable: within a file the order stays. */
function byFile(a: NamedTest, b: NamedTest): number {
  if (a.file === b.file) return 0;
  return a.file < b.file ? -1 : 1;
}

/** A source file. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** The sources of packages and services. */
export function readSources(root: string): Source[] {
  return globSync("{packages,services}/*/src/**/*.ts", { cwd: root })
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
}
