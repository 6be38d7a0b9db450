import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { saslprep } from "./saslprep.ts";

/**
 * What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, section 3). Neither key lets
 * anybody log in as the user; StoredKey lets one check guesses.
 */
export interface ScramCredential {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * PBKDF2 rounds that the *client* computes at each connect. RFC 7677 wants at least 4096 and small
 * devices pay for more; four times that is still some 10 ms on a phone.
 */
export const defaultIterations = 16_384;
export const minIterations = 4096;
const maxIterations = 10_000_000;
export const keyLength = 32;
export const defaultSaltLength = 16;

const deriveKey = promisify(pbkdf2);

/** undefined: the password has characters that SASLprep prohibits, or nothing is left of it. */
export async function scramCredential(
  password: string,
  options: { readonly iterations?: number; readonly salt?: Uint8Array } = {},
): Promise<ScramCredential | undefined> {
  const prepared = saslprep(password);
  if (prepared === undefined || prepared === "") return undefined;
  const { iterations = defaultIterations, salt = randomBytes(defaultSaltLength) } = options;
  const salted = await deriveKey(prepared, salt, iterations, keyLength, "sha256");
  return {
    iterations,
    salt,
    storedKey: sha256(hmac(salted, "Client Key")),
    serverKey: hmac(salted, "Server Key"),
  };
}

export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, all binary values in base64. */
export function formatScram(credential: ScramCredential): string {
  const { iterations, salt, storedKey, serverKey } = credential;
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}

const format =
  /^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)$/;

/** undefined: this is not a SCRAM-SHA-256 credential. */
export function parseScram(text: string): ScramCredential | undefined {
  const parts = format.exec(text);
  if (parts === null) return undefined;
  const iterations = Number(parts[1]);
  const [salt, storedKey, serverKey] = [bytes(parts[2]), bytes(parts[3]), bytes(parts[4])];
  if (salt === undefined || storedKey?.length !== keyLength) return undefined;
  if (serverKey?.length !== keyLength) return undefined;
  if (iterations < minIterations || iterations > maxIterations) return undefined;
  return { iterations, salt, storedKey, serverKey };
}

export function base64(value: Uint8Array): string {
  return Buffer.from(value).toString("base64");
}

/** Strict base64 with padding; undefined if `text` is not exactly what an encoder makes. */
export function bytes(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  const decoded = Buffer.from(text, "base64");
  return decoded.toString("base64") === text ? decoded : undefined;
}
