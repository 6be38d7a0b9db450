/** Milliseconds and names are as in the settings. */
export interface Target {
  readonly name: string;
  readonly processes: readonly TargetProcess[];
  /** store.shards */
  readonly shards: number;
  /** session.groups */
  readonly groups: number;
  /** cluster.lease; 0 where nothing has one. */
  readonly lease: number;
  /** Who leads: the name of the session node by group, 0 being the control plane. */
  leaders?(): Promise<ReadonlyMap<number, string>>;
  /** Cuts this session node off from all others of the cluster; the answer heals it. */
  isolate?(name: string): Promise<() => void>;
  /** The last lines of what the processes printed. */
  output(): readonly string[];
  stop(): Promise<void>;
}

export type Role = "gateway" | "session" | "store";

/** A process that can be started again under its name, with its data and its ports. */
export interface TargetProcess {
  readonly name: string;
  readonly role: Role;
  /** Where clients connect, of a gateway. */
  readonly mqtt?: { readonly host: string; readonly port: number } | undefined;
  readonly running: boolean;
  kill(signal: NodeJS.Signals): void;
  /** Of this run. */
  readonly ended: Promise<unknown>;
  /** Settles when it is ready. */
  start(): Promise<void>;
}
