import { expect, test } from "vitest";
import { Metrics } from "./metrics.ts";

test("a counter is the same one for everybody who asks for its name", () => {
  const metrics = new Metrics();
  metrics.counter("messages/received").value += 2;
  metrics.counter("messages/received").value++;
  expect([...metrics.read()]).toEqual([["messages/received", 3]]);
});

test("a gauge is read when somebody looks", () => {
  const metrics = new Metrics();
  let clients = 1;
  metrics.gauge("clients/connected", () => clients);
  clients = 5;
  expect(metrics.read().get("clients/connected")).toBe(5);
});

test("numbers come in the order of their names", () => {
  const metrics = new Metrics();
  metrics.counter("c");
  metrics.gauge("b", () => 1);
  metrics.counter("a");
  expect([...metrics.read().keys()]).toEqual(["a", "b", "c"]);
});

test("a name means one thing", () => {
  const metrics = new Metrics();
  metrics.counter("a");
  metrics.gauge("b", () => 1);
  expect(() => metrics.gauge("a", () => 1)).toThrow("there is a metric a already");
  expect(() => metrics.gauge("b", () => 1)).toThrow("there is a metric b already");
  expect(() => metrics.counter("b")).toThrow("there is a metric b already");
});

test.each(["", "a/", "/a", "a//b", "a/+", "#", "$a", "A b"])("%j is no name", (name) => {
  expect(() => new Metrics().counter(name)).toThrow("is no name for a metric");
});
