import fc from "fast-check";
import { expect, test } from "vitest";
import { isLoopback, parseListenAddress } from "./listen.ts";

test.each([
  ["tcp://127.0.0.1:1883", { scheme: "tcp", host: "127.0.0.1", port: 1883, path: "" }],
  ["tcp://[::1]:0", { scheme: "tcp", host: "::1", port: 0, path: "" }],
  ["tcp://broker-1.example.org:1883", { host: "broker-1.example.org" }],
  ["ws://0.0.0.0:8083", { scheme: "ws", port: 8083, path: "/mqtt" }],
  ["ws://[2001:db8::1]:80/a/b", { host: "2001:db8::1", path: "/a/b" }],
  ["ws://localhost:80/", { path: "/" }],
])("%s", (text, expected) => {
  expect(parseListenAddress(text)).toMatchObject({ ...expected, text });
});

test.each([
  ["", "it is not an address"],
  ["1883", "it is not an address"],
  ["127.0.0.1:1883", "it is not an address"],
  ["tcp://::1:1883", "it is not an address"],
  ["tcp://user@host:1883", "user@host is no host"],
  ["mqtt://127.0.0.1:1883", "there are no mqtt listeners"],
  ["tcp://:1883", "the host is missing (0.0.0.0 or [::] listens on all)"],
  ["tcp://*:1883", "* is no host"],
  ["tcp://300.0.0.1:1883", "300.0.0.1 is no host"],
  ["tcp://[127.0.0.1]:1883", "[127.0.0.1] is no host"],
  ["tcp://127.0.0.1", "the port is missing"],
  ["tcp://127.0.0.1:", "the port is missing"],
  ["tcp://127.0.0.1:65536", "there is no port 65536"],
  ["tcp://127.0.0.1:1883/", "tcp has no path"],
  ["ws://127.0.0.1:8083/a?b", "the path has a query, a fragment or a space"],
])("%j: %s", (text, problem) => {
  expect(parseListenAddress(text)).toBe(problem);
});

test.each([
  ["127.0.0.1", true],
  ["127.8.9.10", true],
  ["::1", true],
  ["0:0:0:0:0:0:0:1", true],
  ["::ffff:127.0.0.1", true],
  ["localhost", true],
  ["LOCALHOST", true],
  ["0.0.0.0", false],
  ["::", false],
  ["::11", false],
  ["1::1", false],
  ["2001:db8::1", false],
  ["::ffff:10.0.0.1", false],
  ["192.168.0.1", false],
  ["localhost.example.org", false],
])("%s is loopback: %s", (host, expected) => {
  expect(isLoopback({ host })).toBe(expected);
});

test("any IPv4 and IPv6 address is read back", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4().map((host) => ({ host, written: host })),
        fc.ipV6().map((host) => ({ host, written: `[${host}]` })),
      ),
      fc.nat(65_535),
      ({ host, written }, port) => {
        const address = parseListenAddress(`tcp://${written}:${port}`);
        expect(address).toMatchObject({ scheme: "tcp", host, port });
      },
    ),
  );
});

test("no text makes it throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((s) => `tcp://${s}`),
      ),
      (text) => {
        parseListenAddress(text);
      },
    ),
  );
});
