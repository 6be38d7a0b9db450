import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A TCP port of the loopback address that nothing listens on. Another process may take it before
 * you do: where a server can report its port, let it listen on port 0 instead.
 */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
