import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mutate, sourceOf } from "./hook.ts";
import { mutants } from "./list.ts";

describe("mutants", () => {
  test("have names of their own", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s", (_, mutant) => {
    const source = readFileSync(sourceOf(mutant), "utf8");
    // Throws where the text is not there exactly once.
    expect(mutate(mutant, source)).not.toBe(source);
  });
});
