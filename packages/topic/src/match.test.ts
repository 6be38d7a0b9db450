import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyFilter, anyTopic, matchesByDefinition } from "../test/arbitraries.ts";
import { matchesFilter } from "./match.ts";

function expectMatches(filter: string, topics: string[]): void {
  expect(topics.filter((topic) => !matchesFilter(filter, topic))).toEqual([]);
}

function expectNone(filter: string, topics: string[]): void {
  expect(topics.filter((topic) => matchesFilter(filter, topic))).toEqual([]);
}

describe("matchesFilter", () => {
  test("4.7.1.2: # matches the parent and any number of levels", () => {
    expectMatches("sport/tennis/player1/#", [
      "sport/tennis/player1",
      "sport/tennis/player1/ranking",
      "sport/tennis/player1/score/wimbledon",
    ]);
    expectMatches("sport/#", ["sport", "sport/", "sport//"]);
    expectNone("sport/#", ["sports", "spor", "/sport"]);
    expectMatches("#", ["a", "/", "a/b"]);
    expectMatches("/#", ["/", "/a", "//"]);
    expectNone("/#", ["a", "a/"]);
  });

  test("4.7.1.3: + matches one level, also an empty one", () => {
    expectMatches("sport/tennis/+", ["sport/tennis/player1", "sport/tennis/"]);
    expectNone("sport/tennis/+", ["sport/tennis/player1/ranking", "sport/tennis"]);
    expectMatches("sport/+", ["sport/"]);
    expectNone("sport/+", ["sport"]);
    expectMatches("+/+", ["/finance", "a/b", "/"]);
    expectMatches("/+", ["/finance"]);
    expectNone("+", ["/finance"]);
    expectMatches("+/#", ["a", "a/b", "/"]);
  });

  test("[MQTT-4.7.2-1] a filter that starts with a wildcard matches no topic that starts with $", () => {
    for (const filter of ["#", "+", "+/monitor/Clients", "+/#", "+/+/+"]) {
      expectNone(filter, ["$SYS", "$SYS/monitor/Clients", "$"]);
    }
    expectMatches("$SYS/#", ["$SYS", "$SYS/monitor/Clients"]);
    expectMatches("$SYS/monitor/+", ["$SYS/monitor/Clients"]);
    expectMatches("+/$SYS", ["a/$SYS"]);
    expectMatches("/#", ["/$SYS"]);
  });

  test("[MQTT-4.7.3-4] no normalization: case, composition, spaces and separators count", () => {
    expectNone("ACCOUNTS", ["Accounts"]);
    expectNone("\u00c5", ["A\u030a", "\u212b"]);
    expectNone("a/b", ["a//b", "/a/b", "a/b/", "a/b "]);
    expectMatches("a//b", ["a//b"]);
    expectMatches("\ufeffa", ["\ufeffa"]);
    expectNone("\ufeffa", ["a"]);
  });

  test("[MQTT-4.7.2-1] agrees with the definition, level by level", () => {
    fc.assert(
      fc.property(anyFilter, anyTopic, (filter, topic) => {
        expect(matchesFilter(filter, topic)).toBe(matchesByDefinition(filter, topic));
      }),
      { numRuns: 5000 },
    );
  });
});
