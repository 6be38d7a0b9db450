import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Scope, testScope } from "./scope.ts";

/**
 * Runs a script of the sources, and kills it (SIGKILL) when it has printed so many lines. Returns the
 * lines that it printed, without the last if the kill has cut it. Throws if it ended by itself.
 */
export async function linesUntilKilled(
  script: string,
  args: readonly string[],
  count: number,
  scope: Scope = testScope(),
): Promise<string[]> {
  const child = spawn(process.execPath, ["--conditions=source", script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  scope.defer(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  let output = "";
  let lines = 0;
  for await (const chunk of child.stdout.setEncoding("latin1")) {
    const text = chunk as string;
    output += text;
    lines += text.split("\n").length - 1;
    if (lines >= count) child.kill("SIGKILL");
  }
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  if (signal !== "SIGKILL")
    throw new Error(`${script} was not killed: it ended by ${signal ?? code}`);
  return output.split("\n").slice(0, -1);
}
