/**
 * A transport over TCP, for the benchmark and the tests with real processes: one connection for each
 * direction and pair of nodes, and one for each snapshot. It trusts who connects.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { ByteReader, ByteWriter } from "@canopy/base";
import type { DiskId } from "../src/storage/port.ts";
import type {
  Batch,
  NodeName,
  SnapshotIntake,
  SnapshotOffer,
  Transport,
  TransportHandler,
} from "../src/transport/port.ts";
import { decodeBatch, encodeBatch } from "../src/wire/batch.ts";
import { readFrames, writeFrame } from "./frames.ts";
import { receiveSnapshot, sendSnapshot } from "./tcp-snapshot.ts";

/** What waits for one node; beyond it batches are dropped. */
const MAX_WAITING: number = 64 << 20;
const BATCHES = 0;
const SNAPSHOT = 1;

export class TcpTransport implements Transport {
  readonly #node: NodeName;
  readonly #peers: ReadonlyMap<NodeName, number>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #links = new Map<NodeName, Socket>();
  #handler: TransportHandler | undefined;
  #stopped = false;

  /** `peers`: the ports of the other nodes on the loopback interface; looked at anew for each connection. */
  constructor(node: NodeName, peers: ReadonlyMap<NodeName, number>) {
    this.#node = node;
    this.#peers = peers;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** After start(). */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler;
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  send(to: NodeName, batch: Batch): boolean {
    if (this.#stopped) return false;
    const socket = this.#links.get(to) ?? this.#link(to);
    if (socket === undefined || socket.writableLength > MAX_WAITING) return false;
    writeFrame(socket, encodeBatch(batch));
    return true;
  }

  async openSnapshot(to: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake> {
    const socket = this.#connect(to);
    if (socket === undefined) throw new Error(`no way to ${to}`);
    const hello = new ByteWriter();
    hello.u8(SNAPSHOT);
    hello.string(this.#node);
    hello.varint(disk);
    writeFrame(socket, hello.view());
    return sendSnapshot(socket, offer);
  }

  #link(to: NodeName): Socket | undefined {
    const socket = this.#connect(to);
    if (socket === undefined) return undefined;
    this.#links.set(to, socket);
    socket.once("close", () => {
      this.#links.delete(to);
      if (!this.#stopped) this.#handler?.onUnreachable(to);
    });
    writeFrame(socket, Buffer.of(BATCHES));
    return socket;
  }

  #connect(to: NodeName): Socket | undefined {
    const port = this.#peers.get(to);
    if (port === undefined || this.#stopped) return undefined;
    return this.#own(connect({ port, host: "127.0.0.1", noDelay: true }));
  }

  #own(socket: Socket): Socket {
    this.#sockets.add(socket);
    // The close that follows is what counts.
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  #accept(socket: Socket): void {
    let onFrame = (frame: Buffer): void => {
      onFrame = this.#greeted(socket, frame);
    };
    this.#own(socket);
    readFrames(socket, (frame) => {
      try {
        onFrame(frame);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #greeted(socket: Socket, hello: Buffer): (frame: Buffer) => void {
    const handler = this.#handler as TransportHandler;
    const reader = new ByteReader(hello);
    if (reader.u8() === BATCHES) return (frame) => handler.onBatch(decodeBatch(frame));
    const from = reader.string();
    const disk = reader.varint();
    return receiveSnapshot(socket, (offer) => handler.onSnapshot(from, disk, offer));
  }
}
