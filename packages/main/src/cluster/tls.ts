import { readFileSync } from "node:fs";
import { type Config, ConfigError } from "@canopy/config";
import type { RpcTls } from "@canopy/rpc";

/** What `rpc.tls` names, read; undefined where nothing is encrypted. */
export function readTls({ rpc: { tls } }: Config): RpcTls | undefined {
  const { requireClientCert } = tls;
  const ca = read("ca", tls.ca);
  const cert = read("cert", tls.cert);
  const key = read("key", tls.key);
  if (ca === undefined && cert === undefined) return undefined;
  return { ca, cert, key, requireClientCert };
}

function read(name: "ca" | "cert" | "key", path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError(`rpc.tls.${name}: it can't be read: ${message}`, `rpc.tls.${name}`);
  }
}
