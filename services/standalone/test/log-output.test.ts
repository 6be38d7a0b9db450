import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, RawClient, tempDir, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "src", "main.ts");

/** Starts the broker with its log going there; resolves when it listens. */
async function startWithLog(output: number | "pipe", port: number) {
  const listen = ["--listen", `tcp://127.0.0.1:${port}`, "--set", "log.level=debug"];
  const child = spawn(
    process.execPath,
    ["--conditions=source", main, "--data", await tempDir(), ...listen],
    { stdio: ["ignore", output, "inherit"] },
  );
  testScope().defer(() => child.kill("SIGKILL"));
  child.stdout?.once("data", () => child.stdout?.destroy());
  await waitFor(() => RawClient.connected({ host: "127.0.0.1", port }), { what: "it to listen" });
  return child;
}

test.skipIf(process.platform !== "linux")(
  "a full disk under the log does not end the broker",
  async () => {
    const port = await freePort();
    const full = await open("/dev/full", "w");
    testScope().defer(() => full.close());
    const child = await startWithLog(full.fd, port);
    await RawClient.connected({ host: "127.0.0.1", port });
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  },
);

test("nor does the end of what reads the log", async () => {
  const port = await freePort();
  const child = await startWithLog("pipe", port);
  await RawClient.connected({ host: "127.0.0.1", port });
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
