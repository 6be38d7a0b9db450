import { bytes, keyLength } from "./scram-credential.ts";

/** The messages of RFC 5802, section 7. Parsers return undefined for what is not one. */

export interface ClientFirst {
  /** "n,," with or without an authorization identity; without channel binding. */
  readonly gs2Header: string;
  readonly bare: string;
  readonly authzid: string | undefined;
  /** As sent; SASLprep is the caller's. */
  readonly user: string;
  readonly nonce: string;
}

export interface ClientFinal {
  readonly channelBinding: string;
  readonly nonce: string;
  readonly withoutProof: string;
  readonly proof: Uint8Array;
}

/** Far more than any honest message; user names are the only long part. */
const maxLength = 4096;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// "p=…" asks for channel binding, which is not offered; "m=…" is a mandatory extension, which a
// server that does not know it must refuse. Further extensions are ignored.
const first = /^([ny],(?:a=([^,]+))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]+)*)$/u;
const final =
  /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]+)*),p=([A-Za-z0-9+/=]+)$/u;

export function parseClientFirst(data: Uint8Array): ClientFirst | undefined {
  const parts = first.exec(decode(data) ?? "");
  if (parts === null) return undefined;
  const [, gs2Header = "", authz, bare = "", name = "", nonce = ""] = parts;
  const user = unescapeName(name);
  const authzid = authz === undefined ? undefined : unescapeName(authz);
  if (user === undefined || (authz !== undefined && authzid === undefined)) return undefined;
  return { gs2Header, bare, authzid, user, nonce };
}

export function parseClientFinal(data: Uint8Array): ClientFinal | undefined {
  const parts = final.exec(decode(data) ?? "");
  if (parts === null) return undefined;
  const [, withoutProof = "", channelBinding = "", nonce = ""] = parts;
  const proof = bytes(parts[4]);
  if (proof?.length !== keyLength) return undefined;
  return { channelBinding, nonce, withoutProof, proof };
}

function decode(data: Uint8Array): string | undefined {
  if (data.length > maxLength) return undefined;
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}

/** saslname: "," and "=" are written as "=2C" and "=3D", and no other "=" may appear. */
function unescapeName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name) || name.includes("\0")) return undefined;
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}
