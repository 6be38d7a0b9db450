import { expect, test } from "vitest";
import { root } from "../temp-folder.ts";
import { mainIn, nodeOptions } from "./canopy.ts";

test("the broker that is measured has the options of npm start", () => {
  expect(nodeOptions(mainIn(root))).toEqual(["--max-semi-space-size=16", "--conditions=source"]);
});
