import fc from "fast-check";
import { expect, test } from "vitest";
import { saslprep } from "./saslprep.ts";

test.each([
  ["I\u00adX", "IX", "SOFT HYPHEN mapped to nothing"],
  ["user", "user", "no transformation"],
  ["USER", "USER", "case preserved"],
  ["\u00aa", "a", "output is NFKC, input in ISO 8859-1"],
  ["\u2168", "IX", "output is NFKC, will match the first"],
  ["\u0007", undefined, "prohibited character"],
  ["\u0627\u0031", undefined, "bidirectional check"],
])("RFC 4013, section 3: %j becomes %j (%s)", (text, prepared, _why) => {
  expect(saslprep(text)).toBe(prepared);
});

test.each([
  ["a\u00a0b", "a b", "a space that is not ASCII"],
  ["\u0627\u0628\u0627", "\u0627\u0628\u0627", "right-to-left text"],
  ["\u0627\u0031\u0628", "\u0627\u0031\u0628", "digits inside right-to-left text"],
  ["\u0627a\u0628", undefined, "a left-to-right letter in right-to-left text"],
  ["\ue000", undefined, "private use"],
  ["\ufdd0", undefined, "a noncharacter"],
  ["\ud800", undefined, "a lone surrogate"],
  ["\ufffd", undefined, "the replacement character"],
  ["\u202e", undefined, "a change of direction"],
  ["\u{e0041}", undefined, "a tag"],
])("%j becomes %j (%s)", (text, prepared, _why) => {
  expect(saslprep(text)).toBe(prepared);
});

test("preparing what is prepared changes nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const once = saslprep(text);
      fc.pre(once !== undefined);
      expect(saslprep(once)).toBe(once);
    }),
  );
});

test("printable ASCII stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
      expect(saslprep(text)).toBe(text);
    }),
  );
});
