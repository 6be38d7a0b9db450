import { expect, test } from "vitest";
import { publishedCode, subscribedCode, unsubscribedCode } from "./reason-codes.ts";

const ALL = Array.from({ length: 256 }, (_, code) => code);

test.each([
  [
    "[MQTT-3.4.2-1] [MQTT-3.5.2-1] PUBACK and PUBREC",
    publishedCode,
    [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  ],
  [
    "[MQTT-3.9.3-2] SUBACK",
    subscribedCode,
    [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  ],
  ["[MQTT-3.11.3-2] UNSUBACK", unsubscribedCode, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]],
] as const)(
  "%s: every code becomes one of its table, those of the table stay",
  (_, code, table) => {
    expect([...new Set(ALL.map(code))].sort((a, b) => a - b)).toEqual(table);
    expect(table.map(code)).toEqual(table);
  },
);
