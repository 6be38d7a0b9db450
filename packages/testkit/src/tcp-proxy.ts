import { createServer, type Server, Socket } from "node:net";
import { type Scope, testScope } from "./scope.ts";

/** A way to a server (`host:port`) that can be cut, or go silent. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  /** Its own, after start(). */
  address = "";

  constructor(to: string) {
    const [host = "", port = ""] = to.split(":");
    this.#server = createServer((near) => {
      const far = new Socket();
      far.connect(Number(port), host);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (bytes) => {
          if (!this.#isSilent) into.write(bytes);
        });
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          into.destroy();
        });
      }
    });
  }

  /** It ends with the scope. */
  async start(scope: Scope = testScope()): Promise<this> {
    scope.defer(() => this.stop());
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    this.address = `127.0.0.1:${bound.port}`;
    return this;
  }

  /** All connections break. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing that is said arrives. */
  silence(): void {
    this.#isSilent = true;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
