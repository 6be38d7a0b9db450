import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { EntryKind, openStorage } from "@canopy/raft";
import { Child, RawClient, startBroker, tempDir, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { publish } from "./support.ts";

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, "..", "src", "main.ts");
const signals = join(here, "..", "..", "..", "packages", "main", "src", "signals.ts");
const anywhere = ["--listen", "tcp://127.0.0.1:0"];

/** Runs the command; the environment has nothing of ours but what is given. */
function run(args: readonly string[], env: Record<string, string> = {}): Child {
  const path = process.env["PATH"] ?? "";
  return new Child({
    command: process.execPath,
    args: ["--conditions=source", main, ...args],
    env: { PATH: path, ...env },
  });
}

/** One line on stderr, and exit code 2. */
async function expectRefusal(child: Child, text: RegExp): Promise<void> {
  const { code } = await child.exited;
  expect(child.stderr).toHaveLength(1);
  expect(child.stderr[0]).toMatch(/^canopy: /);
  expect(child.stderr[0]).toMatch(text);
  expect(code).toBe(2);
}

/** The address of the first listener of this scheme. */
async function listening(child: Child, scheme = "tcp"): Promise<{ host: string; port: number }> {
  const line = await waitFor(
    () => {
      if (child.exit !== undefined) throw new Error(child.stderr.join("\n"));
      return child.stdout.find(
        (text) => text.includes('"listening"') && text.includes(`${scheme}://`),
      );
    },
    { what: "the broker to listen" },
  );
  const { listener } = JSON.parse(line) as { listener: string };
  const { hostname, port } = new URL(listener.replace(`${scheme}:`, "http:"));
  return { host: hostname, port: Number(port) };
}

describe("what is wrong is said in one line, with exit code 2", () => {
  test.each([
    [
      "an unknown key",
      ["--set", "limits.maxPacketSiz=3"],
      /limits\.maxPacketSiz .*did you mean limits\.maxPacketSize/,
    ],
    ["a wrong value", ["--set", "limits.maxQos=7"], /limits\.maxQos.*allowed: 0, 1, 2/],
    ["an unknown flag", ["--frob"], /unknown flag --frob/],
    ["a flag without its value", ["--listen"], /--listen needs a value/],
    ["--set without a value", ["--set", "limits.maxQos"], /--set needs KEY=VALUE/],
    ["an argument", ["start"], /unexpected argument start/],
    ["a port that is none", ["--listen", "tcp://127.0.0.1:65536"], /no port 65536/],
    ["a listener of another kind", ["--listen", "quic://127.0.0.1:0"], /quic/],
    ["a file that is not there", ["--config", "/no/such/file.yaml"], /no\/such\/file\.yaml/],
    [
      "a password file that is not there",
      ["--set", "auth.passwordFile=/no/such/file"],
      /no\/such\/file/,
    ],
  ])("%s", async (_, args, text) => {
    const data = join(await tempDir(), "data");
    await expectRefusal(run(["--data", data, ...anywhere, ...args]), text);
  });

  test("a busy port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const data = join(await tempDir(), "data");
    await expectRefusal(run(["--data", data, "--listen", `tcp://127.0.0.1:${port}`]), /is in use/);
    server.close();
  });

  test("an address that this machine does not have", async () => {
    const data = join(await tempDir(), "data");
    const args = ["--data", data, "--listen", "tcp://192.0.2.1:0", "--set", "auth.anonymous=true"];
    await expectRefusal(run(args), /no such address/);
  });

  test.each([
    ["below a file", "/dev/null/data"],
    ["where nothing can be made", "/proc/canopy"],
  ])("a data folder %s", async (_, data) => {
    await expectRefusal(run(["--data", data, ...anywhere]), /data folder .* can't be written/);
  });

  test("a data folder that another broker uses", async () => {
    const broker = await startBroker();
    await expectRefusal(run(["--data", broker.data, ...anywhere]), /in use|lock|another/i);
    await publish(broker.tcp, "t", "x");
  });

  test("a data folder of another number of shards", async () => {
    const broker = await startBroker({ set: { "store.shards": 2 } });
    await broker.stop();
    const args = ["--data", broker.data, ...anywhere, "--set", "store.shards=3"];
    await expectRefusal(run(args), /store\.shards=2/);
  });

  test("a log of the sessions that is gone", async () => {
    const broker = await startBroker();
    await broker.stop();
    await rm(join(broker.data, "raft"), { recursive: true });
    const child = run(["--data", broker.data, ...anywhere]);
    await expectRefusal(child, /raft is missing or empty, though the messages/);
  });

  test("a log of the sessions with a command of a later version", async () => {
    const broker = await startBroker();
    await broker.stop();
    const storage = openStorage({ directory: join(broker.data, "raft") });
    await storage.start();
    const { hardState, entries, snapshot } = storage.groups.get(1)!.log;
    const index = (entries.at(-1)?.index ?? snapshot.index) + 1;
    const unreadable = { index, term: hardState.term, kind: EntryKind.Command };
    const entry = { ...unreadable, data: Buffer.from([0, 250, 1]) };
    const write = { group: 1, hardState, entries: [entry], snapshot: undefined };
    await new Promise<void>((done) => storage.write(write, done));
    await storage.stop();
    const child = run(["--data", broker.data, ...anywhere]);
    await expectRefusal(child, /the sessions can't be served: the group has failed here: .*250/);
  });

  test("a data folder of another format, or with a damaged description", async () => {
    const data = await tempDir();
    await writeFile(join(data, "canopy.json"), '{"format":1,"shards":4}');
    await expectRefusal(
      run(["--data", data, ...anywhere]),
      /before the first release.*another folder/,
    );
    await writeFile(join(data, "canopy.json"), '{"format":6,"shards":4}');
    await expectRefusal(run(["--data", data, ...anywhere]), /use a newer version/);
    await writeFile(join(data, "canopy.json"), "{");
    await expectRefusal(run(["--data", data, ...anywhere]), /is damaged/);
  });

  test("an address that others can reach, with nothing that says who may connect", async () => {
    const data = join(await tempDir(), "data");
    for (const host of ["0.0.0.0", "[::]"]) {
      const args = ["--data", data, "--listen", `tcp://${host}:0`];
      await expectRefusal(run(args), /can be reached from other machines/);
    }
  });

  test("a configuration file that is no YAML, or has a wrong key", async () => {
    const folder = await tempDir();
    const file = join(folder, "canopy.yaml");
    const args = ["--data", join(folder, "data"), ...anywhere, "--config", file];
    await writeFile(file, "limits: {");
    await expectRefusal(run(args), /not valid YAML/);
    await writeFile(file, "limits:\n  maxQoss: 1\n");
    await expectRefusal(run(args), /limits\.maxQoss .*canopy\.yaml/);
    await expectRefusal(run(args, { CANOPY_LIMITS__MAX_QOSS: "1" }), /maxQoss|MAX_QOSS/);
  });
});

test("--help lists flags and settings; --version says which", async () => {
  const help = run(["--help"]);
  expect((await help.exited).code).toBe(0);
  const text = help.stdout.join("\n");
  for (const word of [
    "--listen",
    "--data",
    "--set",
    "--config",
    "limits.maxPacketSize",
    "store.durability",
  ]) {
    expect(text).toContain(word);
  }
  const version = run(["--version"]);
  expect((await version.exited).code).toBe(0);
  expect(version.stdout).toEqual([expect.stringMatching(/^canopy \d+\.\d+\.\d+$/)]);
});

test("flags go over the environment, which goes over the file, which goes over defaults", async () => {
  const folder = await tempDir();
  const file = join(folder, "canopy.yaml");
  await writeFile(
    file,
    [
      `data: ${join(folder, "data")}`,
      "listen: [tcp://127.0.0.1:0]",
      "log: { format: json }",
      "limits: { receiveMaximum: 11, topicAliasMaximum: 12, maxPacketSize: 2KiB }",
    ].join("\n"),
  );
  const env = {
    CANOPY_CONFIG: file,
    CANOPY_LIMITS__TOPIC_ALIAS_MAXIMUM: "22",
    CANOPY_LIMITS__MAX_PACKET_SIZE: "4KiB",
  };
  const child = run(["--set", "limits.maxPacketSize=8KiB"], env);
  const client = await RawClient.open(await listening(child));
  const { properties } = await client.connect();
  expect(properties).toMatchObject({
    receiveMaximum: 11,
    topicAliasMaximum: 22,
    maximumPacketSize: 8192,
  });
});

test("several listeners, each on a port that the system chose and the log tells", async () => {
  const data = join(await tempDir(), "data");
  const json = ["--set", "log.format=json"];
  const child = run([
    "--data",
    data,
    "--listen",
    "tcp://127.0.0.1:0",
    "--listen",
    "ws://127.0.0.1:0/here",
    ...json,
  ]);
  const tcp = await listening(child);
  const ws = await listening(child, "ws");
  expect(tcp.port).not.toBe(ws.port);
  await RawClient.connected(tcp);
  await RawClient.connected({ url: `ws://127.0.0.1:${ws.port}/here` });
  const banner = await waitFor(() => child.stdout.find((text) => text.includes("Canopy is ready")));
  expect(banner).toContain(`mosquitto_pub -h 127.0.0.1 -p ${tcp.port}`);
});

test("an open address with auth.anonymous=true is listened on", async () => {
  const data = join(await tempDir(), "data");
  const child = run([
    "--data",
    data,
    "--listen",
    "tcp://0.0.0.0:0",
    "--set",
    "auth.anonymous=true",
    "--set",
    "log.format=json",
  ]);
  const { port } = await listening(child);
  const client = await RawClient.connected({ host: "127.0.0.1", port });
  await client.expectQuiet();
});

describe("the end", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: DISCONNECT 0x8B to clients, exit code 0",
    async (signal) => {
      const broker = await startBroker();
      const v5 = await RawClient.connected(broker.tcp);
      const ws = await RawClient.connected(broker.ws);
      const v3 = await RawClient.connected(broker.tcp, { version: 4 });
      process.kill(broker.pid, signal);
      for (const client of [v5, ws]) {
        await client.expect("disconnect", { reasonCode: 0x8b });
        await client.expectClosed();
      }
      await v3.expectClosed();
      expect(await broker.exited).toEqual({ code: 0, signal: null });
      await broker.logged("stopped");
      expect(broker.stderr).toEqual([]);
    },
  );

  test("what was acknowledged before is there afterwards; a client that does not read does not hold it up", async () => {
    const broker = await startBroker();
    const fields = {
      clientId: "durable",
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    };
    const durable = await RawClient.connected(broker.tcp, fields);
    await durable.subscribe("t", { qos: 1 });
    await durable.disconnect();
    const deaf = await RawClient.connected(broker.tcp);
    await deaf.subscribe("t");
    deaf.transport.pause();
    for (let i = 0; i < 20; i++) await publish(broker.tcp, "t", "x".repeat(500_000));
    const start = performance.now();
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(10_000);
    await broker.start();
    const again = await RawClient.connected(broker.tcp, fields);
    again.acknowledge = true;
    for (let i = 0; i < 20; i++) await again.expect("publish");
  });

  /** A process whose broker never stops, with the broker's own treatment of signals. */
  async function endless(timeout: number): Promise<Child> {
    const script = join(await tempDir(), "endless.mjs");
    await writeFile(
      script,
      `import { endOnSignals } from ${JSON.stringify(pathToFileURL(signals))};
      const log = (fields, text) => console.log(text);
      const logger = { trace: log, debug: log, info: log, warn: log, error: log };
      const broker = { start: async () => {}, stop: () => new Promise(() => {}) };
      setInterval(() => {}, 1000);
      const end = endOnSignals(broker, logger, ${timeout}, new Promise(() => {}));
      console.log("ready");
      await end.done;`,
    );
    const args = ["--conditions=source", script];
    const child = new Child({ command: process.execPath, args, env: {} });
    await waitFor(() => child.stdout.includes("ready"));
    return child;
  }

  test("a second signal ends it at once", async () => {
    const child = await endless(600_000);
    child.signal("SIGTERM");
    await waitFor(() => child.stdout.includes("stopping"));
    // one that comes within 300 ms is taken for the same
    const again = setInterval(() => child.signal("SIGTERM"), 100);
    const exit = await child.exited;
    clearInterval(again);
    expect(exit).toEqual({ code: 1, signal: null });
    expect(child.stdout).toContain("stopping at once");
  });

  test("comes by itself, with exit code 1, when the sessions can't be served any more", async () => {
    const preload = import.meta.resolve("./crash/unreadable.ts");
    const args = ["--conditions=source", "--import", preload, main];
    const data = join(await tempDir(), "data");
    const child = new Child({
      command: process.execPath,
      args: [...args, "--data", data, ...anywhere, "--set", "auth.anonymous=true"],
      env: { PATH: process.env["PATH"] ?? "" },
    });
    const address = await listening(child);
    const client = await RawClient.connected(address);
    const last = await RawClient.open(address);
    last.send({ cmd: "connect", protocolVersion: 5, clientId: "unreadable", clean: true });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    await client.closed;
    expect(child.stdout.join("\n")).toContain("the broker can't go on: stopping");
    expect(child.stdout.at(-1)).toContain("stopped");
    // Nobody goes on trying meanwhile.
    expect(child.stdout.join("\n")).not.toContain("trying again");
  });

  test("its time may be longer than a timer of Node can be", async () => {
    const broker = await startBroker({ set: { "shutdown.timeout": "30d" } });
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    expect(broker.stderr).toEqual([]);
  });

  test("one that does not end in its time ends all the same, with exit code 1", async () => {
    const child = await endless(100);
    child.signal("SIGINT");
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.stdout).toContain("stopping took too long");
  });

  test("wills are sent at the shutdown's end of their connections, and durable sessions get them", async () => {
    const broker = await startBroker();
    const fields = {
      clientId: "durable",
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    };
    const durable = await RawClient.connected(broker.tcp, fields);
    await durable.subscribe("w", { qos: 1 });
    await durable.disconnect();
    await RawClient.connected(broker.tcp, {
      will: { topic: "w", payload: Buffer.from("gone"), qos: 1, retain: false },
    });
    await broker.restart();
    const again = await RawClient.connected(broker.tcp, fields);
    await again.expect("publish", { payload: "gone" });
  });
});
