import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Deferred } from "@canopy/base";

/** Where a RawClient connects: { host, port } for TCP, { url } for WebSocket. */
export type Address = { readonly host: string; readonly port: number } | { readonly url: string };

/** A byte stream in both directions. */
export interface Transport {
  /** Resolves when the other side, or this one, has closed; never rejects. */
  readonly closed: Promise<void>;
  write(bytes: Uint8Array): void;
  /** Says that nothing more will come. */
  end(): void;
  /** Ends it without a farewell: a reset, where there is such a thing. */
  destroy(): void;
  /** Reads nothing until resume, so that the other side's buffers fill. TCP only. */
  pause(): void;
  resume(): void;
}

export interface Receiver {
  data(bytes: Buffer): void;
  /** What no MQTT server may do. */
  violation(text: string): void;
}

export function openTransport(address: Address, receiver: Receiver): Promise<Transport> {
  return "url" in address ? openWebSocket(address.url, receiver) : openTcp(address, receiver);
}

async function openTcp(
  address: { readonly host: string; readonly port: number },
  receiver: Receiver,
): Promise<Transport> {
  const socket: Socket = connect({ ...address, noDelay: true });
  await once(socket, "connect");
  const closed = new Deferred();
  socket.on("data", (bytes) => receiver.data(bytes));
  // "close" follows; a reset by the broker is a way to close like any other.
  socket.on("error", () => {});
  socket.once("close", () => closed.resolve());
  return {
    closed: closed.promise,
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    destroy: () => void socket.resetAndDestroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

async function openWebSocket(url: string, receiver: Receiver): Promise<Transport> {
  const socket = new WebSocket(url, "mqtt");
  socket.binaryType = "arraybuffer";
  const opened = new Deferred();
  const closed = new Deferred();
  socket.addEventListener("open", () => opened.resolve());
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string")
      receiver.violation("a text frame"); // [MQTT-6.0.0-1]
    else receiver.data(Buffer.from(data));
  });
  socket.addEventListener("error", () => opened.reject(new Error(`cannot connect to ${url}`)));
  socket.addEventListener("close", () => closed.resolve());
  await opened.promise;
  // [MQTT-6.0.0-4]
  if (socket.protocol !== "mqtt") receiver.violation(`the subprotocol "${socket.protocol}"`);
  const unable = () => {
    throw new Error("a WebSocket cannot be paused here");
  };
  return {
    closed: closed.promise,
    write: (bytes) => socket.send(new Uint8Array(bytes)),
    end: () => socket.close(),
    destroy: () => socket.close(),
    pause: unable,
    resume: unable,
  };
}
