import http from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Transport, TransportHandler } from "../transport.ts";
import type { Accept, Listener, Place } from "./listener.ts";

const LINGER = 2000;
/** Subprotocol names of the standard [MQTT-6.0.0-3], and the one that MQTT 3.1 clients used. */
const PROTOCOLS = ["mqtt", "mqttv3.1"];

class WsTransport implements Transport {
  readonly remoteAddress: string;
  readonly listener: string;
  readonly #socket: WebSocket;
  handler: TransportHandler | undefined = undefined;
  readonly #sent = (): void => {
    if (this.#socket.bufferedAmount === 0) this.handler?.drained();
  };

  constructor(socket: WebSocket, remoteAddress: string, listener: string) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    this.listener = listener;
  }

  get backlog(): number {
    return this.#socket.bufferedAmount;
  }

  write(bytes: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(bytes, { binary: true, compress: false }, this.#sent); // [MQTT-6.0.0-1]
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.close(1000, "");
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    this.#socket.resume();
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), LINGER);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function attach(socket: WebSocket, transport: WsTransport, handler: TransportHandler): void {
  let error = "";
  transport.handler = handler;
  socket.on("message", (data, isBinary) => {
    if (error !== "") return; // what follows a violation means nothing
    if (isBinary) {
      handler.data(toBuffer(data));
    } else {
      error = "a WebSocket frame that is not binary"; // [MQTT-6.0.0-1]
      transport.close(1003, "MQTT needs binary frames");
    }
  });
  socket.on("error", (cause) => {
    error = cause.message;
  });
  socket.on("close", () => handler.closed(error));
}

function refuseSocket(socket: WebSocket): void {
  socket.on("error", () => {});
  socket.terminate();
}

/** Without the query. A request target may be anything, so it is not parsed as a URL. */
function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}

/** What an HTTP request gets that is no WebSocket handshake for our path. */
function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

export interface WsLimits {
  readonly maxPacketSize: number;
  /** For the handshake, in ms. From there on the gateway counts. */
  readonly connectTimeout: number;
}

/** MQTT over WebSocket (section 6). */
export function wsListener(
  place: Place,
  path: string,
  { maxPacketSize, connectTimeout }: WsLimits,
  accept: Accept,
  onError: (error: Error) => void,
): Listener {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    // a frame may hold several packets, or part of one [MQTT-6.0.0-2]
    maxPayload: Math.max(maxPacketSize * 2, 1024 * 1024),
    handleProtocols: (offered) => PROTOCOLS.find((name) => offered.has(name)) ?? false,
  });
  const timeouts = {
    headersTimeout: connectTimeout,
    requestTimeout: connectTimeout,
    connectionsCheckingInterval: Math.min(connectTimeout, 1000),
  };
  const server = http.createServer(timeouts, (_request, response) => {
    response.writeHead(426, { "content-type": "text/plain" });
    response.end("This is an MQTT broker: connect by WebSocket with the subprotocol mqtt.\n");
  });
  let name = "";
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    if (pathOf(request.url ?? "") !== path) {
      refuse(socket, "404 Not Found");
      return;
    }
    (socket as net.Socket).setNoDelay(true);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const transport = new WsTransport(ws, request.socket.remoteAddress ?? "", name);
      const handler = accept(transport);
      if (handler === undefined) refuseSocket(ws);
      else attach(ws, transport, handler);
    });
  });
  return {
    async start(): Promise<string> {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(place, () => {
          server.removeListener("error", reject);
          server.on("error", onError);
          resolve();
        });
      });
      const address = server.address() as net.AddressInfo;
      const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
      name = `ws://${shown}:${address.port}${path}`;
      return name;
    },
    async stop(): Promise<void> {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections(); // those that are no WebSocket (yet)
      await Promise.resolve();
    },
  };
}
