import { isLoopback, type ListenAddress } from "./listen.ts";
import type { Config } from "./schema.ts";

export function hasCredentials(auth: Config["auth"]): boolean {
  return auth.passwordFile !== undefined || auth.scram.file !== undefined;
}

/**
 * Whether a client without credentials may connect at this listener: as auth.anonymous says, and
 * else only where no credentials are configured and nobody but this machine can reach it.
 */
export function allowsAnonymous({ auth }: Config, address: Pick<ListenAddress, "host">): boolean {
  return auth.anonymous ?? (!hasCredentials(auth) && isLoopback(address));
}
