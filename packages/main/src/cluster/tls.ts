import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { type Config, ConfigError } from "@canopy/config";
import type { RpcTls } from "@canopy/rpc";

type Name = "ca" | "cert" | "key";

/** What `rpc.tls` names, read; undefined where nothing is encrypted. */
export function readTls({ rpc: { tls } }: Config): RpcTls | undefined {
  const { requireClientCert } = tls;
  const ca = read("ca", tls.ca);
  const cert = read("cert", tls.cert);
  const key = read("key", tls.key);
  if (ca === undefined && cert === undefined) return undefined;
  check("ca", tls.ca, () => ca && new X509Certificate(ca));
  check("cert", tls.cert, () => cert && new X509Certificate(cert));
  check("key", tls.key, () => createSecureContext({ cert, key }));
  return { ca, cert, key, requireClientCert };
}

/** Throws where a file is not what it has to be. */
function check(name: Name, path: string | undefined, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    const key = `rpc.tls.${name}`;
    const { message } = error as Error;
    throw new ConfigError(`${key}: ${path} is of no use: ${message}`, key);
  }
}

function read(name: Name, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError(`rpc.tls.${name}: it can't be read: ${message}`, `rpc.tls.${name}`);
  }
}
