import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { Deferred } from "@canopy/base";
import type { Scope } from "@canopy/testkit";
import type { Account } from "./account.ts";

export interface LinkOptions {
  readonly clientId: string;
  readonly address: () => { readonly host: string; readonly port: number };
  readonly account: Account;
  readonly scope: Scope;
}

export const [PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP] = [3, 4, 5, 6, 7] as const;
const [CONNACK, SUBACK] = [2, 9];
/** Between two attempts to connect. */
const RETRY = 20;
const SESSION_EXPIRY = [0, 0, 14, 16];
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * A client with a durable session (version 5) that is cheap enough to keep a broker busy: bytes are
 * scanned in place, and what a turn of the event loop brings is written at once. What is special
 * about publishers and subscribers is in the classes that extend it.
 */
export abstract class Link {
  readonly clientId: string;
  readonly #options: LinkOptions;
  #socket: Socket | undefined;
  #isOpen = false;
  #wanted = false;
  #hasSession = false;
  #running: Promise<void> | undefined;
  #opened = new Deferred();
  #granted = new Deferred();
  #rest = EMPTY;
  #out: Buffer[] = [];
  #isDue = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.clientId = options.clientId;
    options.scope.defer(() => this.#end());
  }

  get account(): Account {
    return this.#options.account;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Connects, and again whenever the connection is lost, until `leave`. */
  async stay(): Promise<void> {
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    await this.#opened.promise;
  }

  /** DISCONNECT. */
  async leave(): Promise<void> {
    this.#wanted = false;
    this.#socket?.end(Buffer.from([0xe0, 0]));
    await this.#running;
  }

  async #end(): Promise<void> {
    this.#wanted = false;
    this.#socket?.destroy();
    await this.#running;
  }

  /** Settles when the filter is granted at this QoS. */
  async subscribe(filter: string, qos: 1 | 2): Promise<void> {
    const body = [Buffer.from([0, 1, 0]), text(filter), Buffer.from([qos])];
    this.write(packet(0x82, Buffer.concat(body)));
    await this.#granted.promise;
  }

  /** After CONNACK: what the session left unfinished is sent again [MQTT-4.4.0-1]. */
  protected abstract resume(): void;
  protected abstract publish(first: number, body: Buffer): void;
  protected abstract answer(type: number, packetId: number, reasonCode: number): void;
  /** What is read is done: the last chance to write in this turn. */
  protected abstract endTurn(): void;

  /** Goes out at the end of the turn. */
  protected write(bytes: Buffer): void {
    this.#out.push(bytes);
    if (!this.#isDue) this.#soon();
  }

  protected writeAnswer(type: number, packetId: number): void {
    const flags = type === PUBREL ? 2 : 0;
    this.write(Buffer.from([(type << 4) | flags, 2, packetId >> 8, packetId & 255]));
  }

  protected wrong(what: string): void {
    this.account.wrong(`${this.clientId}: ${what}`);
  }

  /** The system takes no more for now. */
  protected get isBlocked(): boolean {
    return !this.#isOpen || (this.#socket?.writableLength ?? 0) > 0;
  }

  #soon(): void {
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#isOpen) this.endTurn();
      const [out, socket] = [this.#out, this.#socket];
      this.#out = [];
      if (out.length > 0 && socket?.writable === true) socket.write(Buffer.concat(out));
    });
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      await this.#connection();
      if (this.#isOpen) this.#opened = new Deferred();
      this.#isOpen = false;
      this.#out = [];
      if (this.#wanted) await pause(RETRY);
    }
  }

  /** One connection, to its end. */
  async #connection(): Promise<void> {
    const socket = connect({ ...this.#options.address(), noDelay: true });
    this.#socket = socket;
    this.#rest = EMPTY;
    const ended = new Deferred();
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => ended.resolve());
    socket.on("drain", () => this.#soon());
    socket.on("data", (bytes) => this.#scan(bytes));
    const properties = Buffer.from([5, 0x11, ...SESSION_EXPIRY]);
    const body = [text("MQTT"), Buffer.from([5, 0, 0, 0]), properties, text(this.clientId)];
    socket.write(packet(0x10, Buffer.concat(body)));
    await ended.promise;
  }

  #scan(bytes: Buffer): void {
    const chunk = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const [length, begin] = remaining(chunk, at + 1);
      if (begin < 0 || begin + length > chunk.length) break;
      this.#packet(chunk[at] as number, chunk.subarray(begin, begin + length));
      at = begin + length;
    }
    this.#rest = chunk.subarray(at);
    if (!this.#isDue) this.#soon();
  }

  #packet(first: number, body: Buffer): void {
    const type = first >> 4;
    if (type === PUBLISH) this.publish(first, body);
    else if (type >= PUBACK && type <= PUBCOMP) {
      this.answer(type, body.readUInt16BE(0), body[2] ?? 0);
    } else if (type === CONNACK) this.#onConnack(body);
    else if (type === SUBACK && (body.at(-1) ?? 0x80) < 0x80) this.#granted.resolve();
    else this.wrong(`packet ${first} ${body.toString("hex")}`);
  }

  #onConnack(body: Buffer): void {
    if (body[1] !== 0) return; // the broker closes; it is tried again
    if (this.#hasSession && body[0] !== 1) this.wrong("the session is gone");
    this.#hasSession = true;
    this.#isOpen = true;
    this.resume();
    this.#opened.resolve();
    this.#soon();
  }
}

/** The remaining length at this place, and where the body begins: -1 if that is not here yet. */
function remaining(bytes: Buffer, at: number): [number, number] {
  let length = 0;
  for (let shift = 0, next = at; next < bytes.length; shift += 7) {
    const byte = bytes[next++] as number;
    length |= (byte & 127) << shift;
    if (byte < 128) return [length, next];
  }
  return [0, -1];
}

/** Bodies of less than 128 bytes. */
export function packet(first: number, body: Buffer): Buffer {
  if (body.length > 127) throw new RangeError("a longer body than this writes");
  return Buffer.concat([Buffer.from([first, body.length]), body]);
}

export function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([0, Buffer.byteLength(value)]), Buffer.from(value)]);
}
