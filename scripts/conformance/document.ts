import { withoutCitations } from "./citations.ts";
import type { Report, Shown } from "./report.ts";
import type { NamedTest } from "./tests.ts";

const INTRODUCTION = `# Conformance

Every normative statement of [MQTT 5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html)
(its appendix B), in our words, with the tests that show it. The standard's own words are what
counts. A statement that binds clients is shown by what the broker makes of a client that breaks it.

Written by \`npm run docs\` from the names of the tests and from \`scripts/conformance/statements\`;
[CONTRIBUTING.md](../CONTRIBUTING.md) says how tests cite statements.`;

/** docs/conformance.md. */
export function document(report: Report): string {
  const tables = report.sections.map(({ title, rows }) => `## ${title}\n\n${table(rows)}`);
  return `${[INTRODUCTION, summary(report), ...tables].join("\n\n")}\n`;
}

function summary({ sections }: Report): string {
  const rows = sections.flatMap((section) => section.rows);
  const line = (who: string, some: readonly Shown[]) =>
    `| ${who} | ${some.length} | ${["shown", "not applicable", "no test"]
      .map((state) => some.filter((row) => row.state === state).length)
      .join(" | ")} |`;
  return [
    "| binds | statements | shown by tests | not applicable | without a test |",
    "| --- | --- | --- | --- | --- |",
    line(
      "server or both",
      rows.filter(({ statement }) => statement.who !== "client"),
    ),
    line(
      "client",
      rows.filter(({ statement }) => statement.who === "client"),
    ),
    line("all", rows),
  ].join("\n");
}

function table(rows: readonly Shown[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.statement.id} | ${row.statement.who} | ${escaped(row.statement.text)} | ${proof(row)} |`,
  );
  return ["| id | binds | statement | shown by |", "| --- | --- | --- | --- |", ...lines].join(
    "\n",
  );
}

function proof({ state, statement, tests }: Shown): string {
  if (state === "not applicable") {
    return `not applicable: ${escaped(statement.notApplicable as string)}`;
  }
  if (state === "no test") return "**no test yet**";
  return [...Map.groupBy(tests, ({ file }) => file)]
    .map(([file, ofFile]) => `[${shortened(file)}](../${file}): ${names(ofFile)}`)
    .join("<br>");
}

/** Tests of one place in the source are one \`test.each\`: the first stands for all. */
function names(tests: readonly NamedTest[]): string {
  return [...Map.groupBy(tests, ({ place }) => place).values()]
    .map((group) => {
      const [first] = group as [NamedTest, ...NamedTest[]];
      const name = escaped(withoutCitations(first.name).replaceAll(" > ", " › "));
      return group.length === 1 ? name : `${name} (and ${group.length - 1} more like it)`;
    })
    .join("; ");
}

/** \`packages/codec/src/decoder.test.ts\` → \`codec/decoder\`. */
function shortened(file: string): string {
  return file
    .replace(/^(packages|services)\//, "")
    .replace(/\/(src|test)\//, "/")
    .replace(/\.test\.ts$/, "");
}

/** As text in a cell of a table. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\\|*_`<>[\]#~]/g, "\\$&")
    .replaceAll(
      /\p{C}/gu,
      (control) => `U+${control.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`,
    );
}
