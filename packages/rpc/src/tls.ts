/** Who talks to whom may be encrypted, and proven on both sides (mTLS). */
import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";

/** PEM. */
export interface RpcTls {
  /** Who signs the certificates of the other side; undefined: whoever the system trusts. */
  readonly ca: Buffer | undefined;
  /** This process's certificate, with its chain. A server needs one. */
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  /** Of a server: only callers that show a certificate of `ca` are let in. */
  readonly requireClientCert: boolean;
}

export function serverCredentials(tls: RpcTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  if (tls.key === undefined || tls.cert === undefined) {
    throw new TypeError("a server needs a certificate and its key");
  }
  if (tls.requireClientCert && tls.ca === undefined) {
    throw new TypeError("to require certificates of callers, say who signs them");
  }
  const pair = { private_key: tls.key, cert_chain: tls.cert };
  return ServerCredentials.createSsl(tls.ca ?? null, [pair], tls.requireClientCert);
}

export function channelCredentials(tls: RpcTls | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}
