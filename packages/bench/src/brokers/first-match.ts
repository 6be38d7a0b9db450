import type { ChildProcess } from "node:child_process";

const PATIENCE = 60_000;

/** Waits for a line of its standard output that matches; the rest of the output is thrown away. */
export function firstMatch(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(() => reject(new Error(`${pattern} did not come: ${text}`)), PATIENCE);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      reject(new Error(`the broker has ended: code ${code}, signal ${signal}\n${text}`));
    });
    const look = (chunk: Buffer): void => {
      text += chunk.toString();
      const match = pattern.exec(text);
      if (match === null) return;
      clearTimeout(late);
      child.stdout?.off("data", look);
      child.stdout?.resume();
      resolve(match);
    };
    child.stdout?.on("data", look);
  });
}
