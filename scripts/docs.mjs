// Writes docs/configuration.md from the schema of the settings, or with --check fails if it differs.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { documentation } from "../packages/config/src/document.ts";

const file = new URL("../docs/configuration.md", import.meta.url);

function current() {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

if (!process.argv.includes("--check")) {
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, documentation());
} else if (current() !== documentation()) {
  console.error("docs/configuration.md is not what the schema says: run npm run docs");
  process.exitCode = 1;
}
