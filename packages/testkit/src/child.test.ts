import { expect, test } from "vitest";
import { Child } from "./child.ts";
import { Scope } from "./scope.ts";
import { waitFor } from "./wait-for.ts";

const node = (script: string) => ({ command: process.execPath, args: ["-e", script] });

test("collects lines and the exit code", async () => {
  const child = new Child(node("console.log('a\\nb'); console.error('c'); process.exit(3)"));
  expect(await child.exited).toEqual({ code: 3, signal: null });
  expect([child.stdout, child.stderr]).toEqual([["a", "b"], ["c"]]);
  expect(child.exit).toEqual({ code: 3, signal: null });
});

test("is killed at the end of its scope", async () => {
  const scope = new Scope();
  const child = new Child(node("console.log('up'); setInterval(() => {}, 1000)"), scope);
  await waitFor(() => child.stdout.includes("up"));
  expect(child.exit).toBeUndefined();
  await scope.close();
  expect(child.exit).toEqual({ code: null, signal: "SIGKILL" });
});

test("a command that does not exist ends like one that fails", async () => {
  const child = new Child({ command: "/nowhere/command", args: [] });
  expect(await child.exited).toMatchObject({ code: 127 });
  expect(child.stderr.join()).toContain("ENOENT");
  expect(() => child.pid).toThrow("not started");
});
