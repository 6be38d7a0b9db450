import { AssertionError } from "node:assert";
import { setTimeout as pause } from "node:timers/promises";
import { Deferred } from "@canopy/base";
import { generate, type Packet, type Parser, parser } from "mqtt-packet";
import { matches } from "./matches.ts";
import { type Scope, testScope } from "./scope.ts";
import { type Address, openTransport, type Transport } from "./transport.ts";
import { defaultTimeout } from "./wait-for.ts";

export type { Packet } from "mqtt-packet";
export type Command = Packet["cmd"];
export type PacketOf<C extends Command> = Extract<Packet, { readonly cmd: C }>;
/** Fields of a packet, also nested ones, that a test wants to see (see matches). */
export type Fields = Readonly<Record<string, unknown>>;

export interface RawClientOptions {
  /** 3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0 (the default). */
  readonly version?: 3 | 4 | 5;
  /** Milliseconds for which an expectation waits; see defaultTimeout. */
  readonly timeout?: number;
}

/** A network connection with MQTT packets in both directions; see RawClient. */
export class PacketClient {
  readonly version: 3 | 4 | 5;
  readonly #givenTimeout: number | undefined;
  readonly #parser: Parser;
  /** Those that arrived and have not been taken. */
  readonly #line: Packet[] = [];
  #transport: Transport | undefined;
  #arrival: Deferred = new Deferred();
  #violation: string | undefined;
  #closed = false;
  #bytesRead = 0;

  constructor(options: RawClientOptions = {}) {
    this.version = options.version ?? 5;
    this.#givenTimeout = options.timeout;
    this.#parser = parser({ protocolVersion: this.version });
    this.#parser.on("packet", (packet) => this.arrived(packet));
    this.#parser.on("error", (error: Error) => this.#violated(error.message));
  }

  /** Opens the network connection; no packet is sent. */
  async open(address: Address, scope: Scope = testScope()): Promise<this> {
    const transport = await openTransport(address, {
      data: (bytes) => this.#received(bytes),
      violation: (text) => this.#violated(text),
    });
    this.#transport = transport;
    scope.defer(() => transport.destroy());
    void transport.closed.then(() => {
      this.#closed = true;
      this.#wake();
    });
    return this;
  }

  /** Packets that arrived and have not been taken. */
  get waiting(): readonly Packet[] {
    return this.#line;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** How many bytes have arrived in all. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Resolves when the connection is closed by either side. */
  get closed(): Promise<void> {
    return this.transport.closed;
  }

  get transport(): Transport {
    if (this.#transport === undefined) throw new Error("not connected");
    return this.#transport;
  }

  send(packet: Packet): void {
    this.transport.write(generate(packet, { protocolVersion: this.version }));
  }

  /** Bytes as they are, or as hexadecimal digits with any spaces between them. */
  sendBytes(bytes: Uint8Array | string): void {
    const raw = typeof bytes === "string" ? Buffer.from(bytes.replace(/\s/g, ""), "hex") : bytes;
    this.transport.write(raw);
  }

  /** Takes the next packet, which must be this one. */
  async expect<C extends Command>(command: C, fields: Fields = {}): Promise<PacketOf<C>> {
    const wanted = { cmd: command, ...fields };
    const arrived = await this.#until(() => this.#line.length > 0);
    const packet = this.#line.shift();
    if (!arrived || packet === undefined || !matches(packet, wanted)) {
      const message = arrived ? "another packet arrived" : `${this.#state()} instead of a packet`;
      throw failure(message, packet, wanted);
    }
    return packet as PacketOf<C>;
  }

  /** Takes the first packet like this, whatever arrived before it and goes on waiting in line. */
  async find<C extends Command>(command: C, fields: Fields = {}): Promise<PacketOf<C>> {
    const wanted = { cmd: command, ...fields };
    const place = () => this.#line.findIndex((packet) => matches(packet, wanted));
    if (!(await this.#until(() => place() >= 0))) {
      throw failure(`${this.#state()} instead of this packet`, this.#line, wanted);
    }
    const [packet] = this.#line.splice(place(), 1);
    return packet as PacketOf<C>;
  }

  /**
   * The broker has nothing more to say for what it got before: PINGREQ is answered at once. This
   * does not wait for what comes by way of the disk or another client.
   */
  async expectQuiet(): Promise<void> {
    this.send({ cmd: "pingreq" });
    await this.expect("pingresp");
  }

  /** The broker closes the connection, and sends nothing more that has not been taken. */
  async expectClosed(): Promise<void> {
    if (!(await this.#until(() => this.#closed))) {
      throw failure("the connection is still open", this.#line, "closed");
    }
    if (this.#line.length > 0) throw failure("packets before the close", this.#line, []);
  }

  /** Rejects on a violation of MQTT, as soon as what arrived before it has been taken. */
  async #until(condition: () => boolean): Promise<boolean> {
    const timeout = new AbortController();
    const late = pause(this.#timeout, "late", { signal: timeout.signal }).catch(() => "late");
    try {
      while (!condition()) {
        if (this.#violation !== undefined) throw new Error(`the broker sent: ${this.#violation}`);
        if (this.#closed) return false;
        if (this.#arrival.settled) this.#arrival = new Deferred();
        if ((await Promise.race([this.#arrival.promise, late])) === "late") return condition();
      }
      return true;
    } finally {
      timeout.abort();
    }
  }

  protected arrived(packet: Packet): void {
    this.#line.push(packet);
    this.#wake();
  }

  #received(bytes: Buffer): void {
    this.#bytesRead += bytes.length;
    if (this.#violation === undefined) this.#parser.parse(bytes);
  }

  #violated(text: string): void {
    this.#violation ??= text;
    this.#wake();
  }

  #wake(): void {
    this.#arrival.resolve();
  }

  get #timeout(): number {
    return this.#givenTimeout ?? defaultTimeout();
  }

  #state(): string {
    return this.#closed ? "the connection was closed" : `nothing for ${this.#timeout} ms`;
  }
}

function failure(message: string, actual: unknown, expected: unknown): AssertionError {
  return new AssertionError({ message, actual, expected, operator: "matches" });
}
