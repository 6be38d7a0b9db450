import { expect, test } from "vitest";
import { clusterTable, isClusterMet } from "./cluster-report.ts";
import type { Row } from "./scenarios/row.ts";

const row = (value: number, cpuPerMillion: number): Row => ({
  name: "qos1",
  title: "1:1 QoS 1",
  unit: "msg/s",
  value,
  cpuPerMillion,
  cpuByRole: { gateway: cpuPerMillion / 2 },
  faults: "",
});

test("half the throughput, and three times the CPU, are enough", () => {
  const qos1 = { name: "qos1", unit: "msg/s", value: 1 } as const;
  expect(isClusterMet(qos1, { result: 0.5, cpu: 3 })).toBe(true);
  expect(isClusterMet(qos1, { result: 0.49, cpu: 1 })).toBe(false);
  expect(isClusterMet(qos1, { result: 1, cpu: 3.01 })).toBe(false);
  expect(isClusterMet(qos1, { result: undefined, cpu: undefined })).toBeUndefined();
});

test("latency is compared with a bound, and what has no target with nothing", () => {
  const figures = { result: 0.1, cpu: 9 };
  expect(isClusterMet({ name: "latency-p99", unit: "ms", value: 5.9 }, figures)).toBe(true);
  expect(isClusterMet({ name: "latency-p99", unit: "ms", value: 6 }, figures)).toBe(false);
  expect(isClusterMet({ name: "connect", unit: "conn/s", value: 1 }, figures)).toBeUndefined();
});

test("a line for each figure of the cluster's, beside that of the standalone broker", () => {
  const text = clusterTable([
    { broker: "canopy", row: row(1000, 2), values: [1000] },
    { broker: "cluster", row: row(600, 5), values: [600] },
  ]);
  const lines = text.trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[2]?.split("|").map((cell) => cell.trim())).toEqual(
    expect.arrayContaining(["1:1 QoS 1", "1,000", "600", "0.6", "5", "2.5", "yes"]),
  );
});
