import type { Authenticator, Authorizer } from "@canopy/auth";
import type { Clock, Logger, Random, Timers } from "@canopy/base";
import type { ConnectionSettings } from "@canopy/connection";
import type { Sessions } from "@canopy/session";
import type { Shards } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";

/** Bounds of one gateway; sizes in bytes, times in ms. */
export interface GatewayLimits {
  /** 0 = no limit. */
  readonly maxConnections: number;
  /** From the connection to its CONNACK. */
  readonly connectTimeout: number;
  /** Messages and bytes of QoS 1 and 2 that may wait in memory for one session. */
  readonly transientQueueMessages: number;
  readonly transientQueueBytes: number;
  readonly transientOverflow: "disconnect" | "drop";
  /** Bytes that may wait for one socket before QoS 0 is dropped, and for all sockets together. */
  readonly connectionOutputBytes: number;
  readonly gatewayOutputBytes: number;
  /** How long a PUBLISH may be without an answer before its connection is closed. */
  readonly answerTimeout: number;
  /** How often progress of durable sessions is flushed. */
  readonly progressInterval: number;
  /** For stopping. */
  readonly shutdownTimeout: number;
}

export interface ListenOptions {
  readonly scheme: "tcp" | "ws";
  readonly host: string;
  readonly port: number;
  /** Of a WebSocket listener. */
  readonly path: string;
  /** Others may listen there too; default no. */
  readonly reusePort?: boolean;
}

/** Whom a ban may be about. */
export interface Banned {
  readonly clientId: string;
  /** After authentication. */
  readonly user: string | undefined;
  /** Without the port. */
  readonly address: string;
}

export interface GatewayOptions {
  readonly listen: readonly ListenOptions[];
  readonly settings: ConnectionSettings;
  readonly limits: GatewayLimits;
  /** `$SYS` is published so often, in ms; 0 = not at all. */
  readonly sysInterval: number;
  readonly version: string;
  /** This life of the gateway, as the control plane numbers it; asked for at start(). */
  readonly incarnation: () => number;
  /**
   * Whether clients may be told anything now: not while it is not known whether others still count
   * this gateway as living. Asked at every write; without it always.
   */
  readonly mayAnswer?: () => boolean;
  /** Why somebody may not connect; undefined: he may. Where it changes: enforceBans(). */
  readonly whyBanned?: (who: Banned) => string | undefined;
  readonly sessions: Sessions;
  readonly shards: Shards;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly topics: TopicTable;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}
