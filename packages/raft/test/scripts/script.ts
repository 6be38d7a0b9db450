// Reads testdata/*.txt: a command per line, and below it, indented, what it led to.
import { Stage } from "./stage.ts";

/** The trace that the file should hold: its commands, each with what happens now. */
export function play(text: string): string {
  const stage = new Stage();
  const out: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    out.push(line);
    if (line.trim() === "" || line.startsWith("#")) continue;
    for (const result of stage.run(line)) out.push(`  ${result}`);
  }
  return `${out.join("\n").trimEnd()}\n`;
}
