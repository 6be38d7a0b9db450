// Writes the generated pages of docs/: configuration.md from the schema of the settings,
// conformance.md from the names of the tests. With --check it fails where a page differs, with
// --strict where a normative statement on the server has neither a test nor a reason.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { documentation } from "../packages/config/src/document.ts";
import { conformance } from "./conformance/index.ts";

const root = new URL("..", import.meta.url);
const isCheck = process.argv.includes("--check");
const isStrict = process.argv.includes("--strict");

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

/** @param {URL} file */
function current(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** @param {string} name @param {string} text @param {string} source */
function page(name, text, source) {
  const file = new URL(`docs/${name}`, root);
  if (!isCheck) {
    mkdirSync(new URL(".", file), { recursive: true });
    writeFileSync(file, text);
  } else if (current(file) !== text) {
    fail(`docs/${name} is not what ${source}: run npm run docs`);
  }
}

const { text, problems, untested } = await conformance(fileURLToPath(root));
page("configuration.md", documentation(), "the schema says");
page("conformance.md", text, "the tests' names say");
for (const problem of problems) fail(problem);
if (isStrict && untested.length > 0) {
  fail(`without a test or a reason (${untested.length}):\n  ${untested.join("\n  ")}`);
}
