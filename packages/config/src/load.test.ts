import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "./error.ts";
import { type ConfigSources, loadConfig } from "./load.ts";
import type { Role } from "./roles.ts";
import { findSetting, settings } from "./settings.ts";

interface Given {
  readonly argv?: readonly string[];
  readonly env?: Record<string, string>;
  readonly file?: string;
  readonly role?: Role;
}

/** Loads with the file, if there is one, at canopy.yaml. */
function load({ argv = [], env = {}, file, role = "standalone" }: Given = {}) {
  const readFile: ConfigSources["readFile"] = (path) => {
    if (file === undefined || path !== "canopy.yaml") throw new Error("ENOENT");
    return file;
  };
  const args = file === undefined ? argv : ["--config", "canopy.yaml", ...argv];
  return loadConfig({ argv: args, env, readFile, role });
}

function problem(given: Given): string {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "no problem";
}

describe("sources", () => {
  test("without any, everything has its default", () => {
    const { config, origins, warnings } = load();
    expect(config).toMatchSnapshot();
    expect(origins.size).toBe(0);
    expect(warnings).toEqual([]);
  });

  test("a later source counts more: file, environment, flag", () => {
    const file = "limits: { maxQos: 0, receiveMaximum: 1, maxTopicLevels: 1 }";
    const env = { CANOPY_LIMITS__RECEIVE_MAXIMUM: "2", CANOPY_LIMITS__MAX_TOPIC_LEVELS: "2" };
    const argv = ["--set", "limits.maxTopicLevels=3"];
    const { config, origins } = load({ argv, env, file });
    expect(config.limits).toMatchObject({ maxQos: 0, receiveMaximum: 2, maxTopicLevels: 3 });
    expect([...origins]).toEqual([
      ["limits.maxQos", "canopy.yaml"],
      ["limits.receiveMaximum", "CANOPY_LIMITS__RECEIVE_MAXIMUM"],
      ["limits.maxTopicLevels", "--set"],
    ]);
  });

  test("CANOPY_CONFIG names the file as well, and --config counts more", () => {
    const readFile = (path: string) => `data: ${path}`;
    const env = { CANOPY_CONFIG: "from-env" };
    expect(loadConfig({ argv: [], env, readFile }).config.data).toBe("from-env");
    const argv = ["--config=from-flag"];
    expect(loadConfig({ argv, env, readFile }).config.data).toBe("from-flag");
  });

  test("a file may be empty, and so may a section", () => {
    expect(load({ file: "" }).origins.size).toBe(0);
    expect(load({ file: "# nothing\nauth:\nlimits: {}\n" }).origins.size).toBe(0);
  });

  test("a file may write keys with dots", () => {
    expect(load({ file: "limits.maxQos: 1" }).config.limits.maxQos).toBe(1);
  });

  test("--listen flags add up and replace other listeners", () => {
    const argv = ["--listen", "tcp://127.0.0.1:1", "--listen=ws://[::1]:2/x"];
    const { config } = load({ argv, file: "listen: [tcp://127.0.0.1:3]" });
    expect(config.listen).toEqual([
      { scheme: "tcp", host: "127.0.0.1", port: 1, path: "", text: "tcp://127.0.0.1:1" },
      { scheme: "ws", host: "::1", port: 2, path: "/x", text: "ws://[::1]:2/x" },
    ]);
  });

  test("a list is separated by commas in text", () => {
    const env = { CANOPY_LISTEN: "tcp://127.0.0.1:1, tcp://127.0.0.1:2" };
    expect(load({ env }).config.listen.map(({ port }) => port)).toEqual([1, 2]);
  });

  test("sources add entries to a map", () => {
    const { config } = load({
      file: "shared: { strategies: { a: sticky, b: sticky, constructor: random } }",
      env: { CANOPY_SHARED__STRATEGIES: "b=random,c=random" },
      argv: ["--set", "shared.strategies.c.d=hash-topic", "--set", "shared.strategies.a=random"],
    });
    expect(Object.fromEntries(config.shared.strategies)).toEqual({
      a: "random",
      b: "random",
      c: "random",
      "c.d": "hash-topic",
      constructor: "random",
    });
  });

  test("a -- before the flags is skipped, after them nothing may follow", () => {
    expect(load({ argv: ["--", "--data", "x"] }).config.data).toBe("x");
    expect(problem({ argv: ["--data", "x", "--", "--y"] })).toBe("unexpected argument --y");
  });

  test("the value of --set may hold an equals sign", () => {
    expect(load({ argv: ["--set", "data=/a=b"] }).config.data).toBe("/a=b");
  });

  test("variables that others set are left alone, near misses are told", () => {
    const env = { CANOPY_PORT: "tcp://10.0.0.1:1883", CANOPY_SERVICE_HOST: "x", CANOPY_DTA: "x" };
    expect(load({ env }).warnings).toEqual(["CANOPY_DTA sets nothing; did you mean CANOPY_DATA?"]);
  });
});

describe("one clear line", () => {
  test.each<[string, Given]>([
    ["limits.maxQos: got 3 (canopy.yaml); allowed: 0, 1, 2", { file: "limits: { maxQos: 3 }" }],
    [
      'limits.maxPacketSize: got "1MB" (CANOPY_LIMITS__MAX_PACKET_SIZE); allowed: 1KiB to 268435460 (a number of bytes, or such as 64KiB, 1MiB, 1GiB)',
      { env: { CANOPY_LIMITS__MAX_PACKET_SIZE: "1MB" } },
    ],
    [
      'shutdown.timeout: got "0.5ms" (--set); allowed: at least 0 (a number of milliseconds, or such as 200ms, 3s, 5m, 1h)',
      { argv: ["--set", "shutdown.timeout=0.5ms"] },
    ],
    [
      'log.level: got "loud" (--set); allowed: trace, debug, info, warn, error, silent',
      { argv: ["--set", "log.level=loud"] },
    ],
    [
      'auth.anonymous: got "yes" (--set); allowed: true or false',
      { argv: ["--set", "auth.anonymous=yes"] },
    ],
    ["data: got null (canopy.yaml); allowed: a path", { file: "data:" }],
    [
      'listen: got ["tcp://127.0.0.1"] (--listen): the port is missing; allowed: tcp://HOST:PORT or ws://HOST:PORT/PATH, an IPv6 HOST in brackets',
      { argv: ["--listen", "tcp://127.0.0.1"] },
    ],
    [
      "listen: got [] (canopy.yaml); allowed: tcp://HOST:PORT or ws://HOST:PORT/PATH, an IPv6 HOST in brackets",
      { file: "listen: []" },
    ],
    [
      'shared.strategies.a: got "best" (--set); allowed: for each name one of least-inflight, round-robin, random, sticky, hash-publisher, hash-topic',
      { argv: ["--set", "shared.strategies.a=best"] },
    ],
    [
      'shared.strategies: got "sticky" (--set), allowed: name=value,name=value; for each name one of least-inflight, round-robin, random, sticky, hash-publisher, hash-topic',
      { argv: ["--set", "shared.strategies=sticky"] },
    ],
    [
      "limits: got 5 (canopy.yaml), but limits is a section of settings, such as limits.maxPacketSize",
      { file: "limits: 5" },
    ],
    [
      "unknown setting limits.maxPacketsize (canopy.yaml); did you mean limits.maxPacketSize?",
      { file: "limits: { maxPacketsize: 1 }" },
    ],
    ["unknown setting __proto__.x (--set)", { argv: ["--set", "__proto__.x=1"] }],
    [
      "unknown setting CANOPY_LIMIT__MAX_QOS (environment); did you mean CANOPY_LIMITS__MAX_QOS?",
      { env: { CANOPY_LIMIT__MAX_QOS: "1" } },
    ],
    ["unknown flag --lisen; did you mean --listen?", { argv: ["--lisen", "x"] }],
    [
      "unknown flag --limits.maxQos; did you mean --set limits.maxQos=…?",
      { argv: ["--limits.maxQos=1"] },
    ],
    ["--set needs KEY=VALUE, got limits.maxQos", { argv: ["--set", "limits.maxQos"] }],
    ["--data needs a value: --data DIR", { argv: ["--data"] }],
    ["unexpected argument canopy.yaml", { argv: ["canopy.yaml"] }],
    ["cannot read the configuration file other.yaml: ENOENT", { argv: ["--config", "other.yaml"] }],
    ['canopy.yaml: got ["a"] instead of settings', { file: "- a" }],
  ])("%s", (message, given) => {
    expect(problem(given)).toBe(message);
  });

  test("a broken file is named with the place", () => {
    const message = problem({ file: "data: x\nlimits: [\n" });
    expect(message).toMatch(/^canopy.yaml is not valid YAML: .* at line \d+, column \d+$/);
    expect(problem({ file: "data: x\ndata: y\n" })).toMatch(/unique.* at line/);
  });
});

describe("who may connect", () => {
  const open = ["--listen", "tcp://0.0.0.0:1883"];

  test("a listener for all needs credentials or leave for everybody", () => {
    expect(problem({ argv: open })).toBe(
      "listen: tcp://0.0.0.0:1883 can be reached from other machines, and nothing says who may " +
        "connect: set auth.passwordFile, or let everybody in with auth.anonymous=true",
    );
  });

  test("without credentials and anonymous clients there would be nobody", () => {
    const argv = ["--set", "auth.anonymous=false"];
    expect(problem({ argv })).toBe(
      "auth.anonymous: it is false and auth.passwordFile is not set: nobody could connect",
    );
  });

  const anonymous = "auth.anonymous=true";
  const file = "auth.passwordFile=p";
  test.each([
    { set: [], listen: [], expected: true },
    { set: [anonymous], listen: [], expected: true },
    { set: [anonymous], listen: open, expected: true },
    { set: [file], listen: [], expected: false },
    { set: [file], listen: open, expected: false },
    { set: [file, anonymous], listen: open, expected: true },
    { set: [file, "auth.anonymous=false"], listen: open, expected: false },
  ])("anonymous clients: %j", ({ set, listen, expected }) => {
    const argv = [...listen, ...set.flatMap((setting) => ["--set", setting])];
    expect(load({ argv }).config.auth.anonymous).toBe(expected);
  });
});

test("two listeners cannot have one port, unless the system chooses", () => {
  const twice = (address: string) => ({ argv: ["--listen", address, "--listen", address] });
  expect(problem(twice("tcp://127.0.0.1:1"))).toBe("listen: two listeners want 127.0.0.1:1");
  expect(problem(twice("tcp://127.0.0.1:0"))).toBe("no problem");
});

test("every setting can be set by its variable and by --set, with the same effect", () => {
  const file = "cluster: { nodes: [localhost:7400] }";
  for (const { key, variable, shownDefault, roles } of settings) {
    if (shownDefault === undefined) continue;
    for (const role of roles) {
      const given = role === "standalone" ? { role } : { role, file };
      const byVariable = load({ ...given, env: { [variable]: shownDefault } });
      const byFlag = load({ ...given, argv: ["--set", `${key}=${shownDefault}`] });
      expect(byVariable.config).toEqual(load(given).config);
      expect(byFlag.config).toEqual(load(given).config);
      expect(byVariable.origins.get(key)).toBe(variable);
    }
  }
});

test("whatever is given, the answer is a configuration or a ConfigError of one line", () => {
  const key = fc.oneof(fc.constantFrom(...settings.map((each) => each.key)), fc.string());
  fc.assert(
    fc.property(key, fc.string(), fc.json(), (name, text, json) => {
      for (const given of [
        { argv: ["--set", `${name}=${text}`] },
        { file: `${JSON.stringify(name)}: ${json}` },
        { env: { [findSetting(name)?.variable ?? `CANOPY_${name}`]: text } },
      ]) {
        expect(problem(given)).not.toMatch(/\n/);
      }
    }),
  );
});
