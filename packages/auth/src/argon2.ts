import { randomBytes, timingSafeEqual } from "node:crypto";
import { hash, hashRaw } from "@node-rs/argon2";

/** What one verification costs: memory in KiB, passes over it, lanes. */
export interface Argon2Cost {
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** OWASP's first choice for argon2id; about 20 ms of one core. */
export const defaultArgon2Cost: Argon2Cost = { memory: 19_456, passes: 2, lanes: 1 };

// PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$hash, base64 without padding.
const phc =
  /^\$argon2id\$v=19\$m=(\d{1,10}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;
const maxMemory = 4 * 1024 * 1024;

/** The cost of an encoded hash; undefined if it is not an argon2id hash that can be verified. */
export function argon2Cost(encoded: string): Argon2Cost | undefined {
  const parts = phc.exec(encoded);
  if (parts === null) return undefined;
  const [memory, passes, lanes] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const possible = passes >= 1 && lanes >= 1 && lanes <= 255;
  if (!possible || memory < 8 * lanes || memory > maxMemory) return undefined;
  if (!isBase64(parts[4]) || !isBase64(parts[5])) return undefined;
  return { memory, passes, lanes };
}

/** Decoders refuse a length that no encoder makes, and unused bits that are not 0. */
function isBase64(text = ""): boolean {
  return Buffer.from(text, "base64").toString("base64").replace(/=+$/, "") === text;
}

/** An encoded hash of this cost that no password matches: verifying it takes as long as a real one. */
export function decoyHash(cost: Argon2Cost): string {
  const random = (length: number) => randomBytes(length).toString("base64").replace(/=+$/, "");
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$${random(16)}$${random(32)}`;
}

/** Runs on the thread pool, as verifyPassword does; never blocks the event loop. */
export function hashPassword(
  password: string | Uint8Array,
  cost: Argon2Cost = defaultArgon2Cost,
): Promise<string> {
  return hash(password, libraryOptions(cost));
}

/**
 * The cost is the encoded hash's own. Rejects if that is not a hash (see argon2Cost).
 *
 * By hashRaw, because the library's verify rejects a password that is not UTF-8, and in MQTT a
 * password is any bytes.
 */
export async function verifyPassword(encoded: string, password: Uint8Array): Promise<boolean> {
  const cost = argon2Cost(encoded);
  if (cost === undefined) throw new TypeError("not an argon2id hash");
  const [salt, expected] = encoded
    .split("$")
    .slice(4)
    .map((text) => Buffer.from(text, "base64"));
  if (salt === undefined || expected === undefined) throw new TypeError("not an argon2id hash");
  const options = { ...libraryOptions(cost), salt, outputLen: expected.length };
  return timingSafeEqual(await hashRaw(password, options), expected);
}

function libraryOptions(cost: Argon2Cost) {
  return { memoryCost: cost.memory, timeCost: cost.passes, parallelism: cost.lanes };
}
