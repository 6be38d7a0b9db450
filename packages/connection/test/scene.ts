import { Decoder, MalformedPacket } from "@canopy/codec";
import { Connection, type ConnectionSettings } from "../src/index.ts";
import { Recorder } from "./recorder.ts";

export const SETTINGS: ConnectionSettings = {
  maxPacketSize: 1_000_000,
  maximumQos: 2,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  subscriptionIdentifiersAvailable: true,
  receiveMaximum: 4,
  topicAliasMaximum: 3,
  topicAliasMaximumOutbound: 3,
  maxInflight: 5,
  serverKeepAlive: undefined,
  maxKeepAlive: 0,
  maxSessionExpiry: 3600,
  maxClientIdLength: 40,
  maxTopicLength: 50,
  maxTopicLevels: 5,
  maxSubscriptionsPerSession: 4,
};

/** One connection that is fed with bytes, as the gateway does it, and whose effects are recorded. */
export class Scene {
  readonly effects: Recorder = new Recorder();
  readonly connection: Connection<string>;
  readonly #decoder: Decoder;

  constructor(settings: Partial<ConnectionSettings> = {}) {
    const all = { ...SETTINGS, ...settings };
    this.connection = new Connection<string>(all, this.effects);
    this.#decoder = new Decoder({ maxPacketSize: all.maxPacketSize });
    this.effects.connection = this.connection;
    this.effects.onHold = (on) => {
      if (on) this.#decoder.paused = true;
      else this.#decode(undefined);
    };
  }

  /** What the client sends; several packets come in one chunk. */
  client(...packets: Buffer[]): void {
    if (this.effects.ending === undefined) this.#decode(Buffer.concat(packets));
  }

  #decode(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.#decoder.resume(this.connection);
      else this.#decoder.decode(chunk, this.connection);
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error;
      const { refusalVersion } = this.#decoder;
      this.connection.malformed(error.reasonCode, error.message, refusalVersion);
    }
  }
}
