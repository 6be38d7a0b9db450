import { describe, expect, test } from "vitest";
import { document } from "./document.ts";
import { misquotes, report, untested } from "./report.ts";
import { both, client, type Section, server } from "./statement.ts";
import type { NamedTest } from "./tests.ts";

// Ids are put together here, so that this file's own tests cite nothing.
const cite = (id: string) => `[MQTT-${id}]`;

const SECTIONS: Section[] = [
  {
    title: "One (1)",
    statements: [
      server("1.0.0-1", "A | b."),
      both("1.0.0-2", "B.", "it can't be"),
      client("1.0.0-3", "C.", "clients only"),
    ],
  },
  { title: "Two (2)", statements: [server("2.0.0-10", "D.")] },
];

function named(name: string, file = "packages/codec/src/a.test.ts", place = "1:1"): NamedTest {
  return { name, file, place };
}

describe("report", () => {
  test("puts each test beside every statement that its name cites", () => {
    const two = named(`suite > ${cite("1.0.0-1")} ${cite("2.0.0-10")} two at once`);
    const one = named(`suite ${cite("2.0.0-10")} > cited by the suite`);
    const { sections, problems } = report(SECTIONS, [two, one, named("cites nothing")]);
    expect(problems).toEqual([]);
    expect(sections.map(({ rows }) => rows.map(({ tests, state }) => [state, tests]))).toEqual([
      [
        ["shown", [two]],
        ["not applicable", []],
        ["not applicable", []],
      ],
      [["shown", [two, one]]],
    ]);
  });

  test("a name that cites the same statement twice counts once", () => {
    const name = `${cite("1.0.0-1")} > ${cite("1.0.0-1")}`;
    expect(report(SECTIONS, [named(name)]).sections[0]?.rows[0]?.tests).toHaveLength(1);
  });

  test("a statement that does not exist is a problem", () => {
    const { problems } = report(SECTIONS, [named(`${cite("1.0.0-11")} typo`)]);
    expect(problems).toEqual([expect.stringContaining(`there is no ${cite("1.0.0-11")}`)]);
  });

  test.each([
    ["MQTT", "-1.0.0-1 no brackets"],
    ["[MQTT", "-1.0-1] too short"],
    ["[MQTT", "-1-0.0-1] a wrong separator"],
    ["[v5:MQTT", "-1.0.0-1] an unknown prefix"],
    ["(MQTT", "-1.0.0-1) the wrong brackets"],
  ])("a mention in another form is a problem: %s…%s", (start, rest) => {
    const { problems } = report(SECTIONS, [named(start + rest)]);
    expect(problems).toEqual([expect.stringContaining("write ")]);
  });

  test("statements of MQTT 3.1.1 are no statements of MQTT 5", () => {
    const { problems, sections } = report(SECTIONS, [named(`[v3:${"MQTT"}-1.0.0-1] old`)]);
    expect(problems).toEqual([]);
    expect(sections[0]?.rows[0]?.state).toBe("no test");
  });

  test("a test disproves the reason why there is none, but for clients", () => {
    const tests = [named(`${cite("1.0.0-2")} it can`), named(`${cite("1.0.0-3")} refused`)];
    const { problems, sections } = report(SECTIONS, tests);
    expect(problems).toEqual([expect.stringContaining(`${cite("1.0.0-2")} has a test`)]);
    expect(sections[0]?.rows[2]?.state).toBe("shown");
  });

  test("untested statements are those on the server without test and reason", () => {
    expect(untested(report(SECTIONS, [])).map(({ id }) => id)).toEqual(["1.0.0-1", "2.0.0-10"]);
    expect(untested(report(SECTIONS, [named(cite("2.0.0-10"))]))).toHaveLength(1);
  });
});

describe("misquotes", () => {
  test("finds comments that cite what does not exist", () => {
    const text = `// ${cite("1.0.0-1")} ${cite("1.0.0-9")} [v3:${"MQTT"}-1.0.0-9]`;
    expect(misquotes(SECTIONS, [{ file: "a.ts", text }])).toEqual([
      `a.ts: there is no ${cite("1.0.0-9")}`,
    ]);
  });
});

describe("document", () => {
  test("is a table for each section, with a summary above", () => {
    const name = `suite > ${cite("1.0.0-1")} takes a | and *`;
    const text = document(report(SECTIONS, [named(name)]));
    expect(text).toContain("| server or both | 3 | 1 | 1 | 1 |");
    expect(text).toContain("| client | 1 | 0 | 1 | 0 |");
    expect(text).toContain("| all | 4 | 1 | 2 | 1 |");
    expect(text).toContain(
      "| 1.0.0-1 | server | A \\| b. | [codec/a](../packages/codec/src/a.test.ts): suite › takes a \\| and \\* |",
    );
    expect(text).toContain("| 1.0.0-2 | both | B. | not applicable: it can't be |");
    expect(text).toContain("| 2.0.0-10 | server | D. | **no test yet** |");
  });

  test("tests of one place are one entry, and files are apart", () => {
    const of = (suffix: string, place: string, file?: string) =>
      named(`${cite("1.0.0-1")} case ${suffix}`, file, place);
    const other = "services/gateway/test/b.test.ts";
    const tests = [of("a", "3:1"), of("b", "3:1"), of("c", "9:1"), of("d", "3:1", other)];
    expect(document(report(SECTIONS, tests))).toContain(
      "| [codec/a](../packages/codec/src/a.test.ts): case a (and 1 more like it); case c" +
        "<br>[gateway/b](../services/gateway/test/b.test.ts): case d |",
    );
  });

  test("names that are not plain text stay within their cell", () => {
    const text = document(report(SECTIONS, [named(`${cite("1.0.0-1")} "\u0000\n" <b> [x](y)`)]));
    expect(text).toContain(`"U+0000U+000A" \\<b\\> \\[x\\](y) |`);
  });

  test("is the same whenever it is made of the same tests", () => {
    const tests = [named(cite("1.0.0-1")), named(cite("2.0.0-10"))];
    expect(document(report(SECTIONS, tests))).toBe(document(report(SECTIONS, tests)));
  });
});
