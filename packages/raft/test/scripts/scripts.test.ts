// REWRITE=1 writes the traces of testdata/*.txt as they are now; review them as a diff.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { play } from "./script.ts";

const FOLDER = join(import.meta.dirname, "../../testdata");
const isRewriting = process.env["REWRITE"] === "1";

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

test.each(files)("%s", (file) => {
  const path = join(FOLDER, file);
  const text = readFileSync(path, "utf8");
  const trace = play(text);
  if (isRewriting) writeFileSync(path, trace);
  expect(isRewriting ? text.length : trace).toEqual(isRewriting ? text.length : text);
});
