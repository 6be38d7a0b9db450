import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { present } from "../../src/checks/present.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => present(digest(events)).length;

test("[MQTT-3.2.2-3] a durable session is there at the second CONNECT", () => {
  const first = () => new Story().connected("c", 1).closed("c", 1);
  expect(of(first().connected("c", 2, { isPresent: true }))).toBe(0);
  expect(of(first().connected("c", 2))).toBe(1);
});

test("a CONNECT without an answer may have made the session", () => {
  const story = new Story().tried("c", 1).closed("c", 1);
  expect(of(story.connected("c", 2, { isPresent: true }))).toBe(0);
  expect(of(new Story().tried("c", 1).closed("c", 1).connected("c", 2))).toBe(0);
});

test("[MQTT-3.2.2-2] a clean start finds none", () => {
  const clean = { isDurable: false };
  expect(of(new Story().connected("c", 1, clean).closed("c", 1).connected("c", 2, clean))).toBe(0);
  expect(of(new Story().connected("c", 1, { ...clean, isPresent: true }))).toBe(1);
});
