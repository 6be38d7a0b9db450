import type { Transport, TransportHandler } from "../transport.ts";

/** Takes a new connection, or refuses it by undefined. */
export type Accept = (transport: Transport) => TransportHandler | undefined;

export interface Place {
  readonly host: string;
  readonly port: number;
  /** Others may listen there too. */
  readonly reusePort: boolean;
}

export interface Listener {
  /** Returns its address, with the port that it got. Rejects where it can't listen there. */
  start(): Promise<string>;
  /** Accepts nothing more; connections stay. */
  stop(): Promise<void>;
}
