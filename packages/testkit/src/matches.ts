import { isDeepStrictEqual } from "node:util";

/**
 * Whether the value has everything that is expected, and perhaps more: named fields are compared,
 * others are not. An expected undefined means "not there". Bytes may be given as a text.
 */
export function matches(actual: unknown, expected: unknown): boolean {
  if (actual instanceof Uint8Array) {
    if (typeof expected === "string") return Buffer.from(actual).equals(Buffer.from(expected));
    return expected instanceof Uint8Array && Buffer.from(actual).equals(expected);
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((item, index) => matches(actual[index], item));
  }
  if (typeof expected === "object" && expected !== null) {
    if (typeof actual !== "object" || actual === null) return false;
    const fields: Record<string, unknown> = { ...actual };
    return Object.entries(expected).every(([name, value]) => matches(fields[name], value));
  }
  return isDeepStrictEqual(actual, expected);
}
