import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { freePorts } from "./ports.ts";

const ports = fileURLToPath(new URL("ports.ts", import.meta.url));

test("no port is given twice, also where nobody has listened there yet", async () => {
  const all = await Promise.all([freePorts(10), freePorts(10), freePorts(10)]);
  expect(new Set(all.flat()).size).toBe(30);
});

test("nor to two processes that look in the same place, while both run", async () => {
  const [mine = 0] = await freePorts(1);
  // its first port is that of this one, as its number is
  const other = `
    Object.defineProperty(process, "pid", { value: ${process.pid} });
    const { freePorts } = await import(${JSON.stringify(ports)});
    console.log(JSON.stringify(await freePorts(60)));
  `;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", other], {
    encoding: "utf8",
  });
  const its = JSON.parse(stdout) as number[];
  expect(its).toHaveLength(60);
  expect(its).not.toContain(mine);
});
