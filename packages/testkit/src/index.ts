export { FakeTime } from "./fake-time.ts";
export { Scope, testScope } from "./scope.ts";
export { tempDir } from "./temp-dir.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
