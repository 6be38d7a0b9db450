import { expect, test } from "vitest";
import { cpuOf, exactCpuOf, parseSchedstat, parseStat, parseStatus, residentOf } from "./proc.ts";

test("CPU time of a process whose name has spaces and brackets", () => {
  const line = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 75 0 0 20 0 11 0 100 1000 50";
  expect(parseStat(line)).toEqual({ user: 2.5, system: 0.75 });
});

test("a line that is cut off is refused", () => {
  expect(() => parseStat("42 (node) S 1")).toThrow("/proc/PID/stat");
});

test("memory in kB", () => {
  const text = "Name:\tnode\nVmHWM:\t   90000 kB\nVmRSS:\t   81920 kB\n";
  expect(parseStatus(text, "VmRSS")).toBe(80 * 2 ** 20);
  expect(() => parseStatus(text, "VmSwap")).toThrow("VmSwap");
});

test("nanoseconds of a thread", () => {
  expect(parseSchedstat("123456789 1000 42\n")).toBe(123_456_789);
  expect(() => parseSchedstat("no")).toThrow("schedstat");
});

test("this process has used CPU, and both ways to count it agree", () => {
  const end = performance.now() + 200;
  while (performance.now() < end);
  const { user, system } = cpuOf(process.pid);
  expect(exactCpuOf(process.pid)).toBeGreaterThan(0.1);
  expect(user + system).toBeGreaterThan(0.1);
  expect(residentOf(process.pid)).toBeGreaterThan(10e6);
});
