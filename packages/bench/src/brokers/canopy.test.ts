import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../temp-folder.ts";
import { nodeOptions } from "./canopy.ts";

test("the broker that is measured has the options of npm start", () => {
  const main = join(root, "services", "standalone", "src", "main.ts");
  expect(nodeOptions(main)).toEqual(["--max-semi-space-size=16", "--conditions=source"]);
});
