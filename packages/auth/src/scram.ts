import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Credentials, ScramAccount } from "./credentials.ts";
import {
  type Exchange,
  type ExchangeAnswer,
  type Identity,
  type RefusalCode,
  refusalCode,
} from "./port.ts";
import { saslprep } from "./saslprep.ts";
import { base64, hmac, keyLength, sha256 } from "./scram-credential.ts";
import { type ClientFirst, parseClientFinal, parseClientFirst } from "./scram-message.ts";

export const scramMethod = "SCRAM-SHA-256";

export interface ScramParts {
  readonly credentials: () => Credentials;
  /** The server's part of the nonce: printable ASCII without commas, new for every exchange. */
  readonly nonce?: (() => string) | undefined;
  /** Makes the salts of unknown users; those of one key are always the same for the same name. */
  readonly decoyKey?: Uint8Array | undefined;
}

/** The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. */
export class Scram {
  readonly #parts: ScramParts;
  readonly #decoyKey: Uint8Array;

  constructor(parts: ScramParts) {
    this.#parts = parts;
    this.#decoyKey = parts.decoyKey ?? randomBytes(32);
  }

  exchange(previous?: Identity): Exchange {
    return new ScramExchange(this, previous);
  }

  newNonce(): string {
    return this.#parts.nonce?.() ?? randomBytes(24).toString("base64");
  }

  /**
   * An unknown user gets what a known one would: a salt that stays the same, and a refusal only
   * at the proof. Its keys are random, and "known" decides.
   */
  account(user: string): Challenge {
    const { scramAccounts, decoy } = this.#parts.credentials();
    const account = scramAccounts.get(user);
    if (account !== undefined) return { known: true, ...account };
    const salt = createHmac("sha512", this.#decoyKey).update(user).digest();
    const scram = {
      iterations: decoy.iterations,
      salt: salt.subarray(0, decoy.saltLength),
      storedKey: randomBytes(keyLength),
      serverKey: randomBytes(keyLength),
    };
    return { known: false, user, scram };
  }
}

type Challenge = ScramAccount & { readonly known: boolean };

interface Sent {
  readonly challenge: Challenge;
  readonly first: ClientFirst;
  readonly nonce: string;
  readonly serverFirst: string;
}

class ScramExchange implements Exchange {
  readonly #scram: Scram;
  readonly #previous: Identity | undefined;
  #state: "first" | Sent | "over" = "first";

  constructor(scram: Scram, previous: Identity | undefined) {
    this.#scram = scram;
    this.#previous = previous;
  }

  async step(data: Uint8Array | undefined): Promise<ExchangeAnswer> {
    const state = this.#state;
    this.#state = "over";
    if (state === "over") return refuse("the exchange is over", refusalCode.protocolError);
    if (data === undefined) return refuse("SCRAM-SHA-256 needs Authentication Data");
    return state === "first" ? this.#first(data) : this.#final(data, state);
  }

  #first(data: Uint8Array): ExchangeAnswer {
    const first = parseClientFirst(data);
    const user = first === undefined ? undefined : saslprep(first.user);
    if (first === undefined || !user) return refuse("not a SCRAM client-first message");
    if (first.authzid !== undefined && saslprep(first.authzid) !== user) {
      return refuse("a user cannot act as another");
    }
    const challenge = this.#scram.account(user);
    const { salt, iterations } = challenge.scram;
    const nonce = first.nonce + this.#scram.newNonce();
    const serverFirst = `r=${nonce},s=${base64(salt)},i=${iterations}`;
    this.#state = { challenge, first, nonce, serverFirst };
    return { kind: "continue", data: Buffer.from(serverFirst) };
  }

  #final(data: Uint8Array, sent: Sent): ExchangeAnswer {
    const final = parseClientFinal(data);
    if (final === undefined) return refuse("not a SCRAM client-final message");
    const { challenge, first, nonce, serverFirst } = sent;
    if (final.nonce !== nonce) return refuse("the nonce is not that of this exchange");
    if (final.channelBinding !== base64(Buffer.from(first.gs2Header))) {
      return refuse("the channel binding is not that of this exchange");
    }
    const authMessage = `${first.bare},${serverFirst},${final.withoutProof}`;
    const { storedKey, serverKey } = challenge.scram;
    const clientKey = xor(final.proof, hmac(storedKey, authMessage));
    const proven = timingSafeEqual(sha256(clientKey), storedKey) && challenge.known;
    if (!proven) return this.#wrongProof();
    if (this.#previous !== undefined && this.#previous.user !== challenge.user) {
      return refuse("re-authentication must be by the same user");
    }
    const signature = hmac(serverKey, authMessage);
    return {
      kind: "success",
      identity: { user: challenge.user, method: scramMethod },
      data: Buffer.from(`v=${base64(signature)}`),
    };
  }

  /** A CONNACK says 0x86; a DISCONNECT after a failed re-authentication has no such code. */
  #wrongProof(): ExchangeAnswer {
    const { badUserNameOrPassword, notAuthorized } = refusalCode;
    const reason = this.#previous === undefined ? badUserNameOrPassword : notAuthorized;
    return refuse("bad user name or password", reason);
  }
}

function refuse(text: string, reason: RefusalCode = refusalCode.notAuthorized): ExchangeAnswer {
  return { kind: "failure", reason, text };
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}
