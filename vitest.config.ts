import { readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

// Tests run the sources: workspace packages resolve to src/ by the "source" condition.
const conditions = ["source", "module", "node", "development|production"];

function project(
  name: string,
  root: string,
  include: string[],
  test: TestProjectInlineConfiguration["test"] = {},
): TestProjectInlineConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: { name, root, include, environment: "node", ...test },
  };
}

/** Their test folders are in projects of their own. */
const withProcesses = ["services/standalone", "services/cluster", "packages/bench"];
const beside = ["src/**/*.test.ts", "test/**/*.test.ts", "sim/**/*.test.ts"];
/** Those of `services/standalone/test` that are not about one process: see target.ts there. */
const protocolCases = [
  "auth",
  "connect",
  "durable",
  "flow",
  "limits",
  "publish",
  "retained",
  "shared",
  "subscribe",
  "sys",
  "takeover",
  "under-load",
  "unfinished",
  "websocket",
  "will",
].map((name) => `test/${name}.test.ts`);
const folders = ["packages", "services"].flatMap((group) =>
  readdirSync(join(import.meta.dirname, group)).map((name) => ({ group, name })),
);

// The processes projects start real brokers; "pnpm check" leaves them out, "npm test" runs them.
export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      ...folders.map(({ group, name }) =>
        project(
          group === "packages" ? name : `service-${name}`,
          `${group}/${name}`,
          withProcesses.includes(`${group}/${name}`) ? ["src/**/*.test.ts"] : beside,
          { exclude: ["test/processes/**"] },
        ),
      ),
      project("scripts", "scripts", ["**/*.test.ts"]),
      project("processes", "services/standalone", ["test/**/*.test.ts"], {
        testTimeout: 60_000,
        hookTimeout: 60_000,
      }),
      // The protocol's cases again, against a cluster: as heavy, so it comes when those have ended.
      project("processes-cluster", "services/standalone", protocolCases, {
        testTimeout: 60_000,
        hookTimeout: 120_000,
        provide: { target: "cluster" },
        sequence: { groupOrder: 1 },
      }),
      project("processes-launcher", "services/cluster", ["test/**/*.test.ts"], {
        testTimeout: 60_000,
        hookTimeout: 120_000,
        sequence: { groupOrder: 1 },
      }),
      project("processes-rpc", "packages/rpc", ["test/processes/**/*.test.ts"], {
        testTimeout: 60_000,
      }),
      project("processes-nodes", "services", ["*/test/processes/**/*.test.ts"], {
        testTimeout: 120_000,
        sequence: { groupOrder: 1 },
      }),
      // It measures how long recoveries take, beside a load of its own.
      project("processes-faults", "packages/faults", ["test/processes/**/*.test.ts"], {
        sequence: { groupOrder: 3 },
      }),
      // It takes all cores, so it comes when the others have ended.
      project("processes-bench", "packages/bench", ["test/**/*.test.ts"], {
        sequence: { groupOrder: 2 },
      }),
    ],
  },
});
