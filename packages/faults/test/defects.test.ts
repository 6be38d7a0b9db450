import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defective } from "../src/defects/defect.ts";
import { defects } from "../src/defects/list.ts";
import { faults } from "../src/faults/index.ts";

test.each(defects)("$name: what it changes is there, once, and its faults exist", (defect) => {
  for (const edit of defect.edits) {
    const source = readFileSync(new URL(`../../../${edit.file}`, import.meta.url), "utf8");
    expect(defective(edit, source)).not.toBe(source);
  }
  const names = faults.map(({ name }) => name);
  for (const name of defect.faults) expect(names).toContain(name);
});
