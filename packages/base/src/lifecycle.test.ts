import { describe, expect, test } from "vitest";
import { Deferred } from "./deferred.ts";
import { assert, CanopyError, DecodeError, unreachable } from "./errors.ts";
import { type Lifecycle, Stack } from "./lifecycle.ts";

function part(name: string, trace: string[], failing: "start" | "stop" | "" = ""): Lifecycle {
  const step = async (what: "start" | "stop"): Promise<void> => {
    trace.push(`${what} ${name}`);
    if (failing === what) throw new Error(`${what} ${name}`);
  };
  return { start: () => step("start"), stop: () => step("stop") };
}

describe("Stack", () => {
  test("starts in order and stops in reverse", async () => {
    const trace: string[] = [];
    const stack = new Stack();
    for (const name of ["a", "b", "c"]) stack.add(part(name, trace));
    await stack.start();
    await stack.stop();
    await stack.stop();
    expect(trace).toEqual(["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
  });

  test("a part that fails to start is stopped too, and those before it", async () => {
    const trace: string[] = [];
    const stack = new Stack();
    stack.add(part("a", trace));
    stack.add(part("b", trace, "start"));
    stack.add(part("c", trace));
    await expect(stack.start()).rejects.toThrow("start b");
    expect(trace).toEqual(["start a", "start b", "stop b", "stop a"]);
  });

  test("an error does not keep the others from being stopped", async () => {
    const trace: string[] = [];
    const stack = new Stack();
    for (const name of ["a", "b", "c"]) stack.add(part(name, trace, name === "b" ? "" : "stop"));
    await stack.start();
    const error = await stack.stop().catch((thrown: unknown) => thrown);
    expect((error as AggregateError).errors.map(String)).toEqual([
      "Error: stop c",
      "Error: stop a",
    ]);
    expect(trace.slice(3)).toEqual(["stop c", "stop b", "stop a"]);
  });
});

describe("Deferred", () => {
  test("is settled once, from outside", async () => {
    const deferred = new Deferred<number>();
    expect(deferred.settled).toBe(false);
    deferred.resolve(1);
    deferred.reject(new Error("too late"));
    expect(deferred.settled).toBe(true);
    await expect(deferred.promise).resolves.toBe(1);
  });

  test("rejects", async () => {
    const deferred = new Deferred();
    deferred.reject(new Error("no"));
    await expect(deferred.promise).rejects.toThrow("no");
  });
});

describe("errors", () => {
  test("carry a code and their class's name", () => {
    const error = new DecodeError("short");
    expect(error).toBeInstanceOf(CanopyError);
    expect([error.code, error.name, error.message]).toEqual(["decode", "DecodeError", "short"]);
    const cause = new Error("disk");
    expect(new CanopyError("store", "no", { cause }).cause).toBe(cause);
  });

  test("assert and unreachable throw", () => {
    expect(() => assert(false, "never")).toThrow("never");
    expect(() => assert(1, "fine")).not.toThrow();
    expect(() => unreachable("x" as never)).toThrow("unexpected value: x");
  });
});
