import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Scope, testScope } from "./scope.ts";

/** The path of a new, empty folder that is removed with its content at the end of the scope. */
export async function tempDir(scope: Scope = testScope()): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "canopy-test-"));
  scope.defer(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}
