/** Servers and channels for tests, stopped at their end. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "@canopy/base";
import { testScope } from "@canopy/testkit";
import type {
  Handlers,
  RpcChannelOptions,
  RpcServerOptions,
  RpcTls,
  StreamHandler,
} from "../src/index.ts";
import { RpcChannel, RpcServer } from "../src/index.ts";
import { Echo } from "./echo.ts";

/** Says what it is told, and on streams nothing. */
export const echo: Handlers<typeof Echo> = {
  say: async ({ text }) => ({ text }),
  talk: () => ignoring,
};

export const ignoring: StreamHandler = { onMessage: () => {}, onClosed: () => {} };

export async function serve(
  handlers: Handlers<typeof Echo> = echo,
  options: Partial<RpcServerOptions> = {},
): Promise<RpcServer> {
  const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger, ...options });
  server.add(Echo, handlers);
  const scope = testScope();
  await server.start();
  scope.defer(() => server.stop());
  return server;
}

export async function channelTo(
  address: RpcChannelOptions["address"],
  options: Partial<RpcChannelOptions> = {},
): Promise<RpcChannel> {
  const channel = new RpcChannel({
    address,
    logger: silentLogger,
    backoff: { first: 5, longest: 20 },
    ...options,
  });
  testScope().defer(() => channel.stop());
  await channel.start();
  return channel;
}

/** A file of certs/. */
export function pem(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, "certs", name));
}

/** Of a node that trusts, and shows itself to, those whose certificate is of the same authority. */
export const nodeTls: RpcTls = {
  ca: pem("ca.pem"),
  cert: pem("node.pem"),
  key: pem("node.key"),
  requireClientCert: true,
};
