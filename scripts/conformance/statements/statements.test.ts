import { expect, test } from "vitest";
import { SECTIONS } from "./index.ts";

const statements = SECTIONS.flatMap((section) => section.statements);

test("there are as many as in appendix B, chapter by chapter", () => {
  const chapters = Map.groupBy(statements, ({ id }) => id.split(".")[0]);
  const counts = [...chapters].map(([chapter, ofChapter]) => [chapter, ofChapter.length]);
  expect(counts).toEqual([
    ["1", 5],
    ["2", 7],
    ["3", 175],
    ["4", 60],
    ["6", 4],
  ]);
});

test("they have the standard's order, and each is there once", () => {
  const order = (id: string) =>
    id
      .split(/[.-]/)
      .map((part) => part.padStart(2, "0"))
      .join(".");
  const ids = statements.map(({ id }) => order(id));
  expect(ids).toEqual([...new Set(ids)].sort());
});

test("numbers have no holes but the standard's own: section 2.2.1 starts at 2", () => {
  const sections = Map.groupBy(statements, ({ id }) => id.split("-")[0]);
  const holes = [...sections].flatMap(([section, ofSection]) => {
    const first = section === "2.2.1" ? 2 : 1;
    return ofSection.flatMap(({ id }, i) => (id === `${section}-${i + first}` ? [] : [id]));
  });
  expect(holes).toEqual([]);
});

test("texts are sentences that fit into a table", () => {
  for (const { text, notApplicable } of statements) {
    expect(text).toMatch(/^.{10,200}[.…]$/);
    expect(notApplicable ?? "a reason").toMatch(/^[a-z].*[^.]$/);
  }
});
