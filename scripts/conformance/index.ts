import { document } from "./document.ts";
import { misquotes, report, untested } from "./report.ts";
import { SECTIONS } from "./statements/index.ts";
import { collectTests, readSources } from "./tests.ts";

export interface Conformance {
  /** Text of docs/conformance.md. */
  readonly text: string;
  readonly problems: readonly string[];
  /** The statements on the server that have neither a test nor a reason, a line each. */
  readonly untested: readonly string[];
}

/** What the tests below `root` show of the standard. */
export async function conformance(root: string): Promise<Conformance> {
  const made = report(SECTIONS, await collectTests(root));
  return {
    text: document(made),
    problems: [...made.problems, ...misquotes(SECTIONS, readSources(root))],
    untested: untested(made).map(({ id, text }) => `[MQTT-${id}] ${text}`),
  };
}
