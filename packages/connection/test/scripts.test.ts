// The scenes of testdata/*.txt. REWRITE=1 writes the traces as they are now; review them as a diff.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseScripts, play } from "./script.ts";

const FOLDER = join(import.meta.dirname, "../testdata");
const isRewriting = process.env["REWRITE"] === "1";

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

describe.each(files)("%s", (file) => {
  const scripts = parseScripts(readFileSync(join(FOLDER, file), "utf8"));
  const played: string[] = [];

  // not “$name”, which cuts names short
  test.each(scripts.map((script) => [script.name, script] as const))("%s", (_name, script) => {
    const trace = play(script);
    played.push(trace);
    expect(isRewriting ? script.text : trace).toBe(script.text);
  });

  afterAll(() => {
    if (isRewriting && played.length === scripts.length) {
      writeFileSync(join(FOLDER, file), `${played.join("\n\n")}\n`);
    }
  });
});
