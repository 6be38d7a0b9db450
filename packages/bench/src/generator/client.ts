import { connect, type Socket } from "node:net";
import { reasonName } from "@canopy/codec";
import { type ConnectOptions, connectPacket, DISCONNECT, subscribePacket } from "./packets.ts";
import { Scanner, type ServerPackets } from "./scanner.ts";
import { microseconds } from "./stamp.ts";
import type { Dirty, Turn } from "./turn.ts";

/** What a client does with messages and acknowledgements once it is connected. */
export interface Role {
  publish(bytes: Buffer, first: number, packetId: number, payload: number, end: number): void;
  ack(type: number, packetId: number, reasonCode: number): void;
  /** The last chance to append in this turn. */
  endTurn(): void;
  /** The connection has ended, and not by `close`. */
  lost(reason: string): void;
}

export interface ClientOptions extends ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** To have more connections than one address has ports. */
  readonly localAddress?: string | undefined;
}

const CONNACK = 2;
const SUBACK = 9;
const UNSUBACK = 11;
const PINGRESP = 13;
const SERVER_DISCONNECT = 14;
const FIRST_ROOM = 256;

/** All sockets read into it: a chunk is used up before the next read begins. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** When the chunk at hand was read. */
export const arrival = { time: 0 };

interface Waiter {
  resolve(body: Buffer): void;
  reject(error: Error): void;
}

export class Client implements ServerPackets, Dirty {
  dirty = false;
  role: Role | undefined;
  readonly clientId: string;
  readonly #options: ClientOptions;
  readonly #turn: Turn;
  readonly #scanner: Scanner;
  #socket: Socket | undefined;
  #out: Buffer = Buffer.alloc(0);
  #length = 0;
  #closing = false;
  #ended: Promise<void> = Promise.resolve();
  #disconnectReason = "";
  /** Who waits for a CONNACK or SUBACK; one at a time. */
  #waiter: Waiter | undefined;

  constructor(options: ClientOptions, turn: Turn) {
    this.#options = options;
    this.#turn = turn;
    this.clientId = options.clientId;
    this.#scanner = new Scanner(options.version === 5);
  }

  get version(): 4 | 5 {
    return this.#options.version;
  }

  /** Bytes that the system has not taken yet. */
  get blocked(): boolean {
    return (this.#socket?.writableLength ?? 0) > 0;
  }

  /** Resolves with CONNACK's session present flag. */
  async connect(): Promise<boolean> {
    const { host, port, localAddress } = this.#options;
    const socket = connect({
      host,
      port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
      onread: { buffer: readBuffer, callback: (length) => this.#read(length) },
    });
    this.#socket = socket;
    const ended = Promise.withResolvers<void>();
    this.#ended = ended.promise;
    let failure = "";
    socket.on("error", (error) => {
      failure = error.message;
    });
    socket.on("close", () => {
      ended.resolve();
      this.#closed(failure);
    });
    socket.on("drain", () => this.#turn.mark(this));
    const answer = this.#answer();
    socket.write(connectPacket(this.#options));
    const body = await answer;
    if (body[1] !== 0) throw new Error(`CONNACK: ${reasonName(body[1] ?? 0)}`);
    return ((body[0] ?? 0) & 1) === 1;
  }

  /** Resolves when all filters have been granted at this QoS. */
  async subscribe(filters: readonly string[], qos: number): Promise<void> {
    const answer = this.#answer();
    this.#socket?.write(subscribePacket(this.version, 1, filters, qos));
    const body = await answer;
    const codes = body.subarray(body.length - filters.length);
    const refused = codes.find((code) => code !== qos);
    if (refused !== undefined) throw new Error(`SUBACK: ${reasonName(refused)}`);
  }

  /** Disconnects and resolves when the connection has ended. */
  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    this.#closing = true;
    // What the system does not take soon is not worth waiting for.
    const late = setTimeout(() => socket.destroy(), 2000);
    socket.end(DISCONNECT);
    await this.#ended;
    clearTimeout(late);
  }

  /** Room for so many bytes at the end of what this turn writes; see `room` and `advance`. */
  reserve(bytes: number): number {
    const at = this.#length;
    if (at + bytes > this.#out.length) this.#grow(at + bytes);
    return at;
  }

  get room(): Buffer {
    return this.#out;
  }

  advance(bytes: number): void {
    this.#length += bytes;
  }

  /** Appends a PUBACK, PUBREC, PUBREL or PUBCOMP without properties. */
  appendAck(type: number, packetId: number): void {
    const at = this.reserve(4);
    const out = this.#out;
    out[at] = (type << 4) | (type === 6 ? 2 : 0);
    out[at + 1] = 2;
    out[at + 2] = packetId >> 8;
    out[at + 3] = packetId & 255;
    this.#length += 4;
    if (!this.dirty) this.#turn.mark(this);
  }

  markDirty(): void {
    if (!this.dirty) this.#turn.mark(this);
  }

  endTurn(): void {
    const socket = this.#socket;
    // "drain" marks it again.
    if (socket === undefined || socket.destroyed || socket.writableLength > 0) return;
    this.role?.endTurn();
    if (this.#length === 0) return;
    socket.write(this.#out.subarray(0, this.#length));
    this.#length = 0;
    // The system has taken a part: the buffer belongs to the socket now.
    if (socket.writableLength > 0) this.#out = Buffer.alloc(0);
  }

  publish(bytes: Buffer, first: number, packetId: number, payload: number, end: number): void {
    this.role?.publish(bytes, first, packetId, payload, end);
  }

  ack(type: number, packetId: number, reasonCode: number): void {
    this.role?.ack(type, packetId, reasonCode);
  }

  other(type: number, bytes: Buffer, body: number, end: number): void {
    if (type === CONNACK || type === SUBACK || type === UNSUBACK) {
      const waiter = this.#waiter;
      this.#waiter = undefined;
      waiter?.resolve(Buffer.from(bytes.subarray(body, end)));
    } else if (type === SERVER_DISCONNECT) {
      this.#disconnectReason = `DISCONNECT: ${reasonName(bytes[body] ?? 0)}`;
    } else if (type !== PINGRESP) {
      throw new Error(`packet type ${type} from the broker`);
    }
  }

  #read(length: number): boolean {
    arrival.time = microseconds();
    this.#scanner.scan(readBuffer, length, this);
    return true;
  }

  #answer(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  #closed(failure: string): void {
    const reason = this.#disconnectReason || failure || "the broker closed the connection";
    this.#waiter?.reject(new Error(`${this.clientId}: ${reason}`));
    this.#waiter = undefined;
    if (!this.#closing) this.role?.lost(reason);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#out.length * 2, FIRST_ROOM));
    this.#out.copy(grown, 0, 0, this.#length);
    this.#out = grown;
  }
}
