/**
 * SASLprep (RFC 4013), the form in which SCRAM compares user names and passwords.
 *
 * Differences from the letter of the RFC: normalisation is that of this Node's Unicode instead of
 * Unicode 3.2; unassigned code points are let through; and "LCat" (RFC 3454, table D.2) is taken
 * to be every letter that is not in table D.1.
 */

// Tables of RFC 3454.
const nonAsciiSpace = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu; // C.1.2
const mappedToNothing =
  /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu; // B.1
const prohibited = new RegExp(
  [
    "[\\u0000-\\u001f\\u007f]", // C.2.1 ASCII control characters
    "[\\u0080-\\u009f\\u06dd\\u070f\\u180e\\u2028\\u2029\\u2060-\\u2063]", // C.2.2
    "[\\u206a-\\u206f\\ufff9-\\ufffc\\u{1d173}-\\u{1d17a}]", // C.2.2
    "\\p{Co}", // C.3 private use
    "\\p{Noncharacter_Code_Point}", // C.4
    "\\p{Cs}", // C.5 surrogate codes
    "[\\ufff9-\\ufffd]", // C.6 inappropriate for plain text
    "[\\u2ff0-\\u2ffb]", // C.7 inappropriate for canonical representation
    "[\\u0340\\u0341\\u200e\\u200f\\u202a-\\u202e]", // C.8 change display, or deprecated
    "[\\u{e0001}\\u{e0020}-\\u{e007f}]", // C.9 tagging
  ].join("|"),
  "u",
);
const rightToLeft =
  /[\u05be\u05c0\u05c3\u05d0-\u05ea\u05f0-\u05f4\u061b\u061f\u0621-\u063a\u0640-\u064a\u066d-\u066f\u0671-\u06d5\u06dd\u06e5\u06e6\u06fa-\u06fe\u0700-\u070d\u0710\u0712-\u072c\u0780-\u07a5\u07b1\u200f\ufb1d\ufb1f-\ufb28\ufb2a-\ufb36\ufb38-\ufb3c\ufb3e\ufb40\ufb41\ufb43\ufb44\ufb46-\ufbb1\ufbd3-\ufd3d\ufd50-\ufd8f\ufd92-\ufdc7\ufdf0-\ufdfc\ufe70-\ufe74\ufe76-\ufefc]/u; // D.1
const letter = /\p{L}/u;

/** The prepared text; undefined if it may not be used at all. */
export function saslprep(text: string): string | undefined {
  const prepared = text.replace(nonAsciiSpace, " ").replace(mappedToNothing, "").normalize("NFKC");
  if (prohibited.test(prepared) || mixesDirections(prepared)) return undefined;
  return prepared;
}

/** RFC 3454, section 6: right-to-left text holds no left-to-right letter, and begins and ends so. */
function mixesDirections(text: string): boolean {
  if (!rightToLeft.test(text)) return false;
  const characters = Array.from(text);
  const leftToRight = characters.some((c) => letter.test(c) && !rightToLeft.test(c));
  return (
    leftToRight ||
    !rightToLeft.test(characters[0] ?? "") ||
    !rightToLeft.test(characters.at(-1) ?? "")
  );
}
