import { PassThrough } from "node:stream";
import { CanopyError } from "@canopy/base";
import { expect, test } from "vitest";
import { createLogger, type LogOptions } from "./logger.ts";

function logged(options: LogOptions, isTTY: boolean, error?: unknown): string {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const logger = createLogger(options, stream);
  logger.debug({ clientId: "a" }, "not important");
  logger.info({ clientId: "a", error }, "connected");
  return String(stream.read() ?? "");
}

test("JSON is one object per line, with the names of the levels and the time", () => {
  const text = logged({ level: "info", format: "json" }, true);
  expect(text.endsWith("}\n")).toBe(true);
  const { time, ...rest } = JSON.parse(text);
  expect(rest).toEqual({ level: "info", clientId: "a", msg: "connected" });
  expect(new Date(time).toISOString()).toBe(time);
});

test("pretty is for people", () => {
  const text = logged({ level: "info", format: "pretty" }, false);
  expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: connected\n {4}clientId: "a"\n$/);
});

test.each([
  [true, false],
  [false, true],
])("auto, on a terminal: %s, is JSON: %s", (isTTY, isJson) => {
  expect(logged({ level: "info", format: "auto" }, isTTY).startsWith("{")).toBe(isJson);
});

test("colours are for terminals", () => {
  const options: LogOptions = { level: "info", format: "pretty" };
  expect(logged(options, true)).toContain("\u001b[32m");
  expect(logged(options, false)).not.toContain("\u001b");
});

test("an error is logged with its code, its stack and its cause", () => {
  const cause = new Error("no space left");
  const error = new CanopyError("store", "append failed", { cause });
  const json = JSON.parse(logged({ level: "info", format: "json" }, false, error));
  expect(json.error).toMatchObject({ code: "store", message: "append failed: no space left" });
  expect(json.error.stack).toContain("logger.test.ts");
  expect(json.error.stack).toContain("no space left");
  expect(logged({ level: "info", format: "pretty" }, false, error)).toContain("append failed");
});

test("a level lets through what is at least as important", () => {
  const lines = logged({ level: "debug", format: "json" }, false).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(["debug", "info"]);
  expect(logged({ level: "warn", format: "json" }, false)).toBe("");
  expect(logged({ level: "silent", format: "json" }, false)).toBe("");
});
