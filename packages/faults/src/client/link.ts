import { connect, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";

export type PacketOf<C extends Packet["cmd"]> = Extract<Packet, { readonly cmd: C }>;
export type { Packet } from "mqtt-packet";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface LinkEvents {
  opened(): void;
  packet(packet: Packet): void;
  /** Bytes that are no packet of MQTT. */
  malformed(text: string): void;
  /** Once; also where it never opened. */
  closed(): void;
}

/** A socket with packets of MQTT 5. */
export class Link {
  readonly #socket: Socket;
  #isClosed = false;
  #isEnding = false;

  constructor(address: Address, events: LinkEvents) {
    const reader = parser({ protocolVersion: 5 });
    reader.on("packet", (packet) => {
      if (!this.#isClosed) events.packet(packet);
    });
    reader.on("error", (error: Error) => events.malformed(error.message));
    const socket = connect({ ...address, noDelay: true });
    this.#socket = socket;
    socket.on("connect", () => events.opened());
    socket.on("data", (bytes) => reader.parse(bytes));
    // "close" follows.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#isClosed = true;
      events.closed();
    });
  }

  send(packet: Packet): void {
    if (!this.#socket.destroyed) this.#socket.write(generate(packet, { protocolVersion: 5 }));
  }

  /** After what was sent. */
  end(): void {
    this.#isEnding = true;
    this.#socket.end();
  }

  /** A reset, where it is open. */
  cut(): void {
    if (this.#socket.connecting || this.#isEnding) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}
