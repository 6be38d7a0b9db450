import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";
import { settingKeys } from "./settings.ts";

test.each([
  ["limits.maxPacketsize", "limits.maxPacketSize"],
  ["limit.maxQos", "limits.maxQos"],
  ["maxQos", "limits.maxQos"],
  ["passwordFile", "auth.passwordFile"],
  ["auth.password", undefined],
  ["auth.passwordfiles", "auth.passwordFile"],
  ["dta", "data"],
  ["listens", "listen"],
  ["completely.different", undefined],
])("somebody who writes %s means %s", (word, meant) => {
  expect(nearest(word, settingKeys)).toBe(meant);
});
