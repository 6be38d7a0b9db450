import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import { testScope } from "./scope.ts";

type Version = 3 | 4 | 5;
export type Reply = Packet | "close" | Uint8Array;

export interface ScriptedServer {
  readonly address: { readonly host: string; readonly port: number };
  /** What it got, from all clients. */
  readonly got: readonly Packet[];
}

/** For the tests of the clients here: a server that answers each packet as the script says. */
export async function scriptedServer(
  answer: (packet: Packet) => readonly Reply[] = () => [],
  version: Version = 5,
): Promise<ScriptedServer> {
  const got: Packet[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    const read = parser({ protocolVersion: version });
    read.on("packet", (packet) => {
      got.push(packet);
      for (const reply of answer(packet)) {
        if (reply === "close") socket.end();
        else if (reply instanceof Uint8Array) socket.write(reply);
        else socket.write(generate(reply, { protocolVersion: version }));
      }
    });
    socket.on("data", (bytes) => read.parse(bytes));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  testScope().defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { address: { host: "127.0.0.1", port: address.port }, got };
}
