import net from "node:net";
import type { Transport, TransportHandler } from "../transport.ts";
import type { Accept, Listener, Place } from "./listener.ts";
import { readIntoOurs } from "./reading.ts";

/** How long a connection may take to send what was written before it is cut, in ms. */
const LINGER = 2000;
const BACKLOG = 4096;

class TcpTransport implements Transport {
  readonly remoteAddress: string;
  readonly listener: string;
  readonly #socket: net.Socket;
  #handler: TransportHandler | undefined = undefined;

  constructor(accepted: net.Socket, listener: string) {
    this.#socket = readIntoOurs(accepted, (chunk) => this.#handler?.data(chunk));
    this.listener = listener;
    this.remoteAddress = this.#socket.remoteAddress ?? "";
  }

  attach(handler: TransportHandler): void {
    this.#handler = handler;
    let error = "";
    this.#socket.on("drain", () => handler.drained());
    this.#socket.on("error", (cause) => {
      error = cause.message;
    });
    this.#socket.on("close", () => handler.closed(error));
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    // What is not taken now comes with "drain"; errors come with "close".
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    this.#socket.resume(); // the peer's end is seen only by reading
    const timer = setTimeout(() => this.#socket.destroy(), LINGER);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** MQTT over TCP. */
export function tcpListener(
  place: Place,
  accept: Accept,
  onError: (error: Error) => void,
): Listener {
  // a mark of 1 byte makes "drain" come whenever something had to wait
  const server = net.createServer({ noDelay: true, highWaterMark: 1, pauseOnConnect: true });
  let name = "";
  server.on("connection", (accepted) => {
    const transport = new TcpTransport(accepted, name);
    const handler = accept(transport);
    if (handler === undefined) transport.destroy();
    else transport.attach(handler);
  });
  return {
    async start(): Promise<string> {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ ...place, backlog: BACKLOG }, () => {
          server.removeListener("error", reject);
          server.on("error", onError); // no file descriptor left, for example
          resolve();
        });
      });
      const address = server.address() as net.AddressInfo;
      const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
      name = `tcp://${shown}:${address.port}`;
      return name;
    },
    async stop(): Promise<void> {
      if (!server.listening) return;
      server.close(); // connections are the gateway's to end
      await Promise.resolve();
    },
  };
}
