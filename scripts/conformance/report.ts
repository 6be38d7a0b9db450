import { citations } from "./citations.ts";
import type { Section, Statement } from "./statement.ts";
import type { NamedTest, Source } from "./tests.ts";

/** A statement and the tests whose names cite it. */
export interface Shown {
  readonly statement: Statement;
  readonly tests: readonly NamedTest[];
  readonly state: "shown" | "not applicable" | "no test";
}

export interface Report {
  readonly sections: readonly { readonly title: string; readonly rows: readonly Shown[] }[];
  /** Names that cite what does not exist, and reasons that tests disprove. */
  readonly problems: readonly string[];
}

/** Puts the tests beside the statements that they show. */
export function report(sections: readonly Section[], tests: readonly NamedTest[]): Report {
  const known = new Set(sections.flatMap(({ statements }) => statements.map(({ id }) => id)));
  const problems: string[] = [];
  const byId = new Map<string, NamedTest[]>();
  for (const test of tests) {
    const { ids, malformed } = citations(test.name);
    for (const mention of malformed) {
      problems.push(
        `${test.file}: “${test.name}”: write ${mention} as [MQTT-x.y.z-n], or [v3:MQTT-x.y.z-n] for MQTT 3.1.1`,
      );
    }
    for (const id of ids) {
      if (!known.has(id)) problems.push(`${test.file}: “${test.name}”: there is no [MQTT-${id}]`);
      byId.set(id, [...(byId.get(id) ?? []), test]);
    }
  }
  const rows = ({ statements }: Section) =>
    statements.map((statement) => shown(statement, byId.get(statement.id) ?? []));
  const filled = sections.map((section) => ({ title: section.title, rows: rows(section) }));
  for (const row of filled.flatMap((section) => section.rows)) {
    const disproved = disproof(row);
    if (disproved !== undefined) problems.push(disproved);
  }
  return { sections: filled, problems };
}

/** For a statement on clients, tests of what the broker makes of it are better than the reason. */
function shown(statement: Statement, tests: readonly NamedTest[]): Shown {
  if (tests.length > 0) return { statement, tests, state: "shown" };
  const state = statement.notApplicable === undefined ? "no test" : "not applicable";
  return { statement, tests, state };
}

function disproof({ statement, tests }: Shown): string | undefined {
  const { id, who, notApplicable } = statement;
  if (who === "client" || notApplicable === undefined || tests.length === 0) return undefined;
  return `[MQTT-${id}] has a test, so it applies: take its notApplicable away`;
}

/** Comments that cite what does not exist. */
export function misquotes(sections: readonly Section[], sources: readonly Source[]): string[] {
  const known = new Set(sections.flatMap(({ statements }) => statements.map(({ id }) => id)));
  return sources.flatMap(({ file, text }) =>
    citations(text)
      .ids.filter((id) => !known.has(id))
      .map((id) => `${file}: there is no [MQTT-${id}]`),
  );
}

/** Statements on the server that have neither a test nor a reason. */
export function untested({ sections }: Report): Statement[] {
  return sections
    .flatMap(({ rows }) => rows)
    .filter(({ state, statement }) => state === "no test" && statement.who !== "client")
    .map(({ statement }) => statement);
}
