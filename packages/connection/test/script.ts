// Scripts and their traces: see testdata/README.md.
import type { ConnectionSettings } from "../src/index.ts";
import { run } from "./commands.ts";
import { Scene } from "./scene.ts";

const TRACE = "  ";

/** One scene of a script file: what happens, and what is to come of each step. */
export interface Script {
  readonly name: string;
  readonly text: string;
}

/** Scenes are separated by empty lines and begin with their name, `# …`. */
export function parseScripts(text: string): Script[] {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const [first = ""] = block.split("\n");
      if (!first.startsWith("# ")) throw new Error(`a scene begins with “# name”, not ${first}`);
      return { name: first.slice(2), text: block };
    });
}

/** The scene's steps with the trace that they have. */
export function play({ text }: Script): string {
  const steps = text.split("\n").filter((line) => !line.startsWith(TRACE));
  const [name = "", ...commands] = steps;
  const settings: Partial<ConnectionSettings>[] = [];
  while (commands[0]?.startsWith("settings ") === true) {
    settings.push(parseSettings(commands.shift() as string));
  }
  const scene = new Scene(Object.assign({}, ...settings) as Partial<ConnectionSettings>);
  const lines = [name, ...steps.filter((line) => line.startsWith("settings "))];
  for (const command of commands) {
    const before = scene.effects.trace.length;
    const isShown = run(scene, command);
    const trace = isShown ? scene.effects.trace.slice(before) : [];
    lines.push(command, ...trace.map((line) => TRACE + line));
  }
  return lines.join("\n");
}

function parseSettings(line: string): Partial<ConnectionSettings> {
  const pairs = line
    .split(" ")
    .slice(1)
    .map((word) => word.split("="));
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, value === "no" ? false : Number(value)]),
  ) as Partial<ConnectionSettings>;
}
