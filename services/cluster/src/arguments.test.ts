import { expect, test } from "vitest";
import { readArguments } from "./arguments.ts";

test("without flags: 2 gateways, 3 session nodes, 2 store processes, nothing kept", () => {
  expect(readArguments([])).toEqual({
    gateways: 2,
    sessions: 3,
    stores: 2,
    backend: "leveldb",
    json: undefined,
    folder: undefined,
    restart: false,
    help: false,
  });
});

test("flags size it and say where things go", () => {
  const flags = "-- --gateways 3 --session 5 --store=1 --json out.json --data here --restart";
  expect(readArguments(flags.split(" "))).toMatchObject({
    gateways: 3,
    sessions: 5,
    stores: 1,
    json: "out.json",
    folder: "here",
    restart: true,
  });
});

test.each([
  ["--gateway 3", "Unknown option '--gateway'; there are --gateways, --session, --store,"],
  ["three", "Unexpected argument 'three'"],
  ["--session 10", "--session: got 10; allowed: 1 to 9"],
  ["--store 0", "--store: got 0; allowed: 1 to 64"],
  ["--store 1.5", "--store: got 1.5; allowed: 1 to 64"],
  ["--store", "Option '--store <value>' argument missing"],
  ["--backend redis", "--backend: got redis; allowed: leveldb"],
  ["--json=", "--json needs a path"],
])("%s is refused in one line", (flags, message) => {
  expect(() => readArguments(flags.split(" "))).toThrow(message);
  expect(() => readArguments(flags.split(" "))).not.toThrow("\n");
});
