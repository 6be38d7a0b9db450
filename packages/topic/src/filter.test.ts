import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FilterError, isExact, parseFilter } from "./filter.ts";

function reason(text: string): FilterError | undefined {
  const parsed = parseFilter(text);
  return parsed.ok ? undefined : parsed.reason;
}

describe("parseFilter", () => {
  test("tells what a filter is", () => {
    expect(parseFilter("sport/tennis")).toEqual({
      ok: true,
      share: undefined,
      filter: "sport/tennis",
      exact: true,
      levels: 2,
    });
    expect(parseFilter("+/tennis/#")).toMatchObject({ exact: false, levels: 3 });
    expect(parseFilter("/")).toMatchObject({ exact: true, levels: 2 });
  });

  test("[MQTT-4.7.1-1] # is alone or follows a separator, and is the last character", () => {
    expect(
      ["#", "/#", "sport/#", "sport/tennis/#", "+/#"].filter(
        (filter) => reason(filter) !== undefined,
      ),
    ).toEqual([]);
    expect(
      ["sport/tennis#", "sport/tennis/#/ranking", "##", "#/", "a#", "#a", "+#"].filter(
        (filter) => !reason(filter)?.includes("wildcard"),
      ),
    ).toEqual([]);
  });

  test("[MQTT-4.7.1-2] + occupies an entire level, at any level", () => {
    expect(
      ["+", "+/tennis/#", "sport/+", "sport/+/player1", "/+", "+/+", "+/"].filter(
        (filter) => reason(filter) !== undefined,
      ),
    ).toEqual([]);
    expect(
      ["sport+", "+a", "a/+b", "a/b+", "++", "a/++/b", "+#"].filter(
        (filter) => reason(filter) !== "single-level wildcard",
      ),
    ).toEqual([]);
  });

  test("[MQTT-4.7.3-1] at least one character long", () => {
    expect(reason("")).toBe("empty");
  });

  test("[MQTT-4.7.3-2] no U+0000", () => {
    expect(reason("a/\0")).toBe("nul");
    expect(reason("$share/\0/a")).toBe("nul");
  });

  test("[MQTT-4.7.3-3] at most 65,535 bytes", () => {
    expect(reason(`${"a".repeat(65_533)}/#`)).toBeUndefined();
    expect(reason(`${"a".repeat(65_534)}/#`)).toBe("length");
    expect(reason(`$share/g/${"a".repeat(65_526)}`)).toBeUndefined();
    expect(reason(`$share/g/${"a".repeat(65_527)}`)).toBe("length");
  });

  test("[MQTT-1.5.4-1] well-formed", () => {
    expect(reason("a/\udc00/#")).toBe("surrogate");
  });

  test("[MQTT-4.8.2-1] $share/ begins a shared subscription, with a ShareName", () => {
    expect(parseFilter("$share/consumer1/sport/tennis/+")).toEqual({
      ok: true,
      share: "consumer1",
      filter: "sport/tennis/+",
      exact: false,
      levels: 3,
    });
    expect(parseFilter("$share/g//finance")).toMatchObject({ share: "g", filter: "/finance" });
    expect(parseFilter("$share/$g/$SYS/a")).toMatchObject({ share: "$g", filter: "$SYS/a" });
    expect(parseFilter("$share/g//")).toMatchObject({ share: "g", filter: "/" });
    expect(
      ["$share", "$share/", "$share//a", "$share//"].filter((filter) => reason(filter) !== "share"),
    ).toEqual([]);
  });

  test("[MQTT-4.8.2-1] other filters that begin with $ are not shared", () => {
    for (const filter of ["$shared/g/a", "$SHARE/g/a", "$sharex", "a/$share/g/b", "/$share/g/a"]) {
      expect(parseFilter(filter)).toMatchObject({ ok: true, share: undefined, filter });
    }
  });

  test("[MQTT-4.8.2-2] a ShareName is free of wildcards and followed by a separator and a filter", () => {
    expect(
      ["$share/g", "$share/g/", "$share/+/a", "$share/#", "$share/a+b/c"].filter(
        (filter) => reason(filter) !== "share",
      ),
    ).toEqual([]);
  });

  test("[MQTT-4.8.2-2] what follows is a topic filter, and not a shared one again", () => {
    expect(reason("$share/g/a#")).toBe("multi-level wildcard");
    expect(reason("$share/g/a+")).toBe("single-level wildcard");
    expect(reason("$share/g/$share/h/a")).toBe("share");
    expect(reason("$share/g/$share")).toBe("share");
  });

  test("[MQTT-4.7.1-1] [MQTT-4.7.1-2] agrees with a look at each level", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "/", "+", "#", "$"),
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(text, (filter) => {
        const levels = filter.split("/");
        const fine = levels.every(
          (level, i) =>
            level === "+" || (level === "#" && i === levels.length - 1) || !/[+#]/.test(level),
        );
        expect(parseFilter(filter)).toMatchObject(
          fine ? { filter, exact: isExact(filter), levels: levels.length } : { ok: false },
        );
      }),
      { numRuns: 2000 },
    );
  });
});
