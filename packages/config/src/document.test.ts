import { expect, test } from "vitest";
import { documentation } from "./document.ts";
import { loadConfig } from "./load.ts";
import { settings } from "./settings.ts";

test("every setting is documented with its variable", () => {
  const text = documentation();
  for (const { key, variable } of settings) {
    expect(text).toContain(`| \`${key}\` |`);
    expect(text).toContain(`\`${variable}\` |`);
  }
});

test("the example in the documentation is a valid configuration", () => {
  const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(documentation()) ?? [];
  const readFile = () => example;
  const { config } = loadConfig({ argv: ["--config", "x"], env: {}, readFile });
  expect(config.shared.strategies.get("workers")).toBe("sticky");
  expect(config.limits.maxPacketSize).toBe(256 * 1024);
});
