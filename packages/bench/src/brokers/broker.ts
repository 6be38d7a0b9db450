export const BROKER_ROLES = ["gateway", "session", "store"] as const;
/** Kinds of a cluster's processes. */
export type BrokerRole = (typeof BROKER_ROLES)[number];

/** Of a broker; most have one. */
export interface BrokerProcess {
  readonly role: "broker" | BrokerRole;
  readonly pid: number;
}

/** A broker that is being measured. */
export interface Broker {
  readonly name: BrokerName;
  readonly processes: readonly BrokerProcess[];
  readonly host: string;
  readonly port: number;
  /** The protocol version that its clients speak. */
  readonly version: 4 | 5;
  stop(): Promise<void>;
  /** Stops it, and starts it again with the same data. */
  restart(): Promise<Broker>;
}

/** `canopy` is the standalone broker, `cluster` the same as several processes. */
export const BROKER_NAMES = ["canopy", "cluster", "mosquitto", "aedes"] as const;
export type BrokerName = (typeof BROKER_NAMES)[number];

/** What is wrong with others is reported only. */
export function isOurs(name: BrokerName): boolean {
  return name === "canopy" || name === "cluster";
}

export interface BrokerOptions {
  /** For its data and configuration. */
  readonly folder: string;
  readonly cores: string | undefined;
  /** For the processes of a cluster that are no gateways. */
  readonly otherCores?: string | undefined;
  /** The scenario has durable sessions: those that keep them only if told so are to keep them. */
  readonly durable: boolean;
  /** Settings of Canopy that the scenario needs; every other is the default. */
  readonly set?: Readonly<Record<string, string>>;
  /** Canopy's main file; that of this tree without it. */
  readonly main?: string;
}

export type StartBroker = (options: BrokerOptions) => Promise<Broker>;
