import type { Clock, Lifecycle, Logger, Timers } from "@canopy/base";
import { PasswordCheck, type PasswordCheckOptions } from "./password-check.ts";
import { PasswordFile } from "./password-file.ts";
import {
  type Authenticator,
  type ConnectAnswer,
  type Exchange,
  type Identity,
  type Peer,
  type RefusalCode,
  refusalCode,
} from "./port.ts";
import { Scram, scramMethod } from "./scram.ts";

export interface AuthenticationConfig {
  /** Clients without a user name are let in. */
  readonly anonymous: boolean;
  /** Clients with a user name must be in this file. */
  readonly passwordFile?: string | undefined;
  /** How often the file is looked at for changes, in milliseconds. */
  readonly passwordFileInterval?: number | undefined;
  readonly passwordCheck?: PasswordCheckOptions | undefined;
  /**
   * Without a password file: a client that gives a user name is let in all the same, as an
   * anonymous one. True unless said otherwise.
   */
  readonly ignoreUserNames?: boolean | undefined;
}

export interface AuthenticationParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** See ScramParts: one for all gateways of a cluster, so that all give the same salts. */
  readonly decoyKey?: Uint8Array | undefined;
}

const anyone: Identity = { user: undefined };

/** The authenticator that the configuration asks for. Throws if nobody could ever connect. */
export function authentication(
  config: AuthenticationConfig,
  parts: AuthenticationParts,
): Authenticator & Lifecycle {
  if (config.passwordFile !== undefined) {
    return new FileAuthentication(config.passwordFile, config, parts);
  }
  if (config.anonymous) return anonymous({ ignoreUserNames: config.ignoreUserNames });
  throw new Error("auth.anonymous is off and auth.passwordFile is not set: nobody could connect");
}

/** Lets in every client, or with `ignoreUserNames: false` every one that gives no user name. */
export function anonymous(
  options: { readonly ignoreUserNames?: boolean | undefined } = {},
): Authenticator & Lifecycle {
  const { ignoreUserNames = true } = options;
  return {
    start: async () => {},
    stop: async () => {},
    connect: async (_peer, userName) =>
      userName === undefined || ignoreUserNames
        ? { ok: true, identity: anyone }
        : refuse(refusalCode.badUserNameOrPassword, "bad user name or password"),
    exchange: () => undefined,
  };
}

/** Users of a password file, by password or by SCRAM-SHA-256; anonymous ones as configured. */
class FileAuthentication implements Authenticator, Lifecycle {
  readonly #anonymous: boolean;
  readonly #file: PasswordFile;
  readonly #check: PasswordCheck;
  readonly #scram: Scram;

  constructor(path: string, config: AuthenticationConfig, parts: AuthenticationParts) {
    const interval = config.passwordFileInterval;
    this.#anonymous = config.anonymous;
    this.#file = new PasswordFile({ path, interval }, parts);
    this.#check = new PasswordCheck(config.passwordCheck ?? {}, parts);
    this.#scram = new Scram({
      credentials: () => this.#file.credentials,
      decoyKey: parts.decoyKey,
    });
  }

  start(): Promise<void> {
    return this.#file.start();
  }

  stop(): Promise<void> {
    return this.#file.stop();
  }

  async connect(
    _peer: Peer,
    userName: string | undefined,
    password: Uint8Array | undefined,
  ): Promise<ConnectAnswer> {
    if (userName === undefined) {
      if (this.#anonymous) return { ok: true, identity: anyone };
      // Not 0x86: there is no user name or password that could be bad. Mosquitto says 0x87 too.
      return refuse(refusalCode.notAuthorized, "anonymous clients are not allowed");
    }
    const verdict =
      password === undefined
        ? "wrong"
        : await this.#check.check(this.#file.credentials, userName, password);
    if (verdict === "right") return { ok: true, identity: { user: userName } };
    return verdict === "busy"
      ? refuse(refusalCode.serverBusy, "too many clients are connecting, try again")
      : refuse(refusalCode.badUserNameOrPassword, "bad user name or password");
  }

  exchange(method: string, _peer: Peer, previous?: Identity): Exchange | undefined {
    return method === scramMethod ? this.#scram.exchange(previous) : undefined;
  }
}

function refuse(reason: RefusalCode, text: string): ConnectAnswer {
  return { ok: false, reason, text };
}
