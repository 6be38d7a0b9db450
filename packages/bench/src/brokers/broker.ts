/** A broker that is being measured. */
export interface Broker {
  readonly name: BrokerName;
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** The protocol version that its clients speak. */
  readonly version: 4 | 5;
  stop(): Promise<void>;
  /** Stops it, and starts it again with the same data. */
  restart(): Promise<Broker>;
}

export const BROKER_NAMES = ["canopy", "mosquitto", "aedes"] as const;
export type BrokerName = (typeof BROKER_NAMES)[number];

export interface BrokerOptions {
  /** For its data and configuration. */
  readonly folder: string;
  readonly cores: string | undefined;
  /** The scenario has durable sessions: those that keep them only if told so are to keep them. */
  readonly durable: boolean;
  /** Settings of Canopy that the scenario needs; every other is the default. */
  readonly set?: Readonly<Record<string, string>>;
  /** Canopy's main file; that of this tree without it. */
  readonly main?: string;
}

export type StartBroker = (options: BrokerOptions) => Promise<Broker>;
