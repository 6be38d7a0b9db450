import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBroker } from "./broker.ts";
import { tempDir } from "./temp-dir.ts";

// Stands in for the broker: it listens, logs and stops as the broker does.
const standIn = `
import { createServer } from "node:net";
const log = (line) => console.log(JSON.stringify({ level: "info", ...line }));
const listeners = process.argv.flatMap((arg, i) => (process.argv[i - 1] === "--listen" ? [arg] : []));
log({ msg: "arguments", argv: process.argv.slice(2).join(" "), leaked: process.env.CANOPY_DATA });
console.log("not JSON");
for (const listener of listeners) {
  const url = new URL(listener);
  const server = createServer().listen(Number(url.port || 0), url.hostname, () => {
    url.port = String(server.address().port);
    log({ msg: "listening", listener: url.href });
  });
}
process.on("SIGTERM", () => { log({ msg: "stopped" }); process.exit(0); });
`;

async function standInMain(script = standIn): Promise<string> {
  const main = join(await tempDir(), "main.mjs");
  await writeFile(main, script);
  return main;
}

test("resolves when both listeners listen, and finds their ports in the log", async () => {
  const broker = await startBroker({ main: await standInMain(), set: { "limits.x": 3 } });
  expect(broker.tcp.port).toBeGreaterThan(0);
  expect(broker.ws.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/mqtt$/);
  const { argv } = await broker.logged("arguments");
  expect(argv).toContain(`--data ${broker.data} --listen tcp://127.0.0.1:0`);
  expect(argv).toContain("--set log.format=json --set limits.x=3");
  expect(broker.log).toContainEqual({ level: "raw", msg: "not JSON" });
});

test("stop is graceful, kill9 is not, and both ways it can be started with the same ports", async () => {
  const broker = await startBroker({ main: await standInMain() });
  const { tcp, ws, pid } = broker;
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
  expect(broker.log.at(-1)).toMatchObject({ msg: "stopped" });
  await broker.start();
  expect(await broker.kill9()).toEqual({ code: null, signal: "SIGKILL" });
  await broker.restart();
  await broker.restart();
  expect([broker.tcp, broker.ws]).toEqual([tcp, ws]);
  expect(broker.pid).not.toBe(pid);
});

test("a broker that ends before it listens is an error that shows its output", async () => {
  const main = await standInMain("console.error('no such setting'); process.exit(2)");
  await expect(startBroker({ main })).rejects.toThrow(/has ended: code 2.*\nno such setting/);
});

test("a broker that does not stop in time is killed, and that is an error", async () => {
  const deaf = standIn.replace("process.exit(0)", "");
  const broker = await startBroker({ main: await standInMain(deaf), timeout: 1000 });
  await expect(broker.stop()).rejects.toThrow("killed");
  expect(broker.exit).toMatchObject({ signal: "SIGKILL" });
});

test("settings of the environment do not leak into it", async ({ onTestFinished }) => {
  process.env["CANOPY_DATA"] = "/somewhere";
  onTestFinished(() => void delete process.env["CANOPY_DATA"]);
  const broker = await startBroker({ main: await standInMain() });
  expect((await broker.logged("arguments")).leaked).toBeUndefined();
});
