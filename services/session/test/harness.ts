/** A session service over real files and a fake clock, and what its neighbours saw. */
import { type Logger, silentLogger } from "@canopy/base";
import {
  EXPIRY_NEVER,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type RouteChange,
  type RouteSink,
  type SubscribeRequest,
} from "@canopy/session";
import { FakeTime, tempDir, testScope } from "@canopy/testkit";
import {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "../src/service.ts";

export const SHARDS = 4;

/** Stores that take everything, unless told otherwise. */
export class FakeStores implements RouteSink {
  headsNow: readonly number[] = [10, 20, 30, 40];
  headsAsked = 0;
  readonly changes: RouteChange[] = [];
  readonly wills: { incarnation: number; epoch: number; record: Uint8Array }[] = [];
  readonly ended: number[] = [];
  /** Each call first waits for what this gives. */
  gate: (call: string) => Promise<void> = () => Promise.resolve();

  /** Whether this will can't be stored now. */
  refuse: (record: Uint8Array) => boolean = () => false;

  async heads(): Promise<readonly number[]> {
    this.headsAsked++;
    await this.gate("heads");
    return this.headsNow;
  }

  async routes(changes: readonly RouteChange[]): Promise<void> {
    await this.gate("routes");
    this.changes.push(...changes);
  }

  async publishWill(incarnation: number, epoch: number, record: Uint8Array): Promise<void> {
    await this.gate("publishWill");
    if (this.refuse(record)) throw new Error("no room for this one");
    this.wills.push({ incarnation, epoch, record });
  }

  async sessionsEnded(incarnations: readonly number[]): Promise<void> {
    await this.gate("sessionsEnded");
    this.ended.push(...incarnations);
  }
}

export class Harness {
  readonly time = new FakeTime();
  readonly stores = new FakeStores();
  readonly directory: string;
  service: SessionService;
  #options: Partial<SessionServiceOptions>;

  private constructor(directory: string, options: Partial<SessionServiceOptions>) {
    this.directory = directory;
    this.#options = options;
    this.service = this.#create();
  }

  static async start(options: Partial<SessionServiceOptions> = {}): Promise<Harness> {
    const scope = testScope();
    const harness = new Harness(options.directory ?? (await tempDir(scope)), options);
    scope.defer(() => harness.service.stop());
    await harness.service.start();
    return harness;
  }

  /** A new life of the process over the same files. */
  async restart(options: Partial<SessionServiceOptions> = {}): Promise<void> {
    await this.service.stop();
    this.#options = { ...this.#options, ...options };
    this.service = this.#create();
    await this.service.start();
  }

  get sessions(): SessionService["sessions"] {
    return this.service.sessions;
  }

  #create(): SessionService {
    return createSessionService({
      directory: this.directory,
      shards: SHARDS,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      routeSink: this.stores,
      durability: "os",
      ...this.#options,
    });
  }
}

export interface LoggedLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** Remembers what was logged. */
export function memoryLogger(): Logger & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  const [trace, debug, info, warn, error] = ["trace", "debug", "info", "warn", "error"].map(at);
  return { trace, debug, info, warn, error, lines } as Logger & { lines: LoggedLine[] };
}

export const idlePeer = { stop: () => {} };

export function openRequest(gateway: number, changes: Partial<OpenRequest> = {}): OpenRequest {
  return {
    clientId: "client",
    gateway,
    cleanStart: false,
    expiry: EXPIRY_NEVER,
    will: undefined,
    user: undefined,
    ...changes,
  };
}

export function progressOf(opened: Opened, changes: Partial<Progress> = {}): Progress {
  const { incarnation, epoch } = opened;
  return { incarnation, epoch, cursors: [], done: [], drained: [], retainedSent: [], ...changes };
}

export function releaseOf(opened: Opened, changes: Partial<ReleaseRequest> = {}): ReleaseRequest {
  return {
    ...progressOf(opened),
    will: "publish",
    expiry: undefined,
    unfinished: [],
    ...changes,
  };
}

export function subscribeTo(opened: Opened, ...filters: string[]): SubscribeRequest {
  const { incarnation, epoch } = opened;
  return {
    incarnation,
    epoch,
    subscriptions: filters.map((filter) => ({
      filter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      subscriptionIdentifier: 0,
      sendRetained: false,
    })),
  };
}

/** A will whose record is long enough to carry its times. */
export function willRecord(text: string): Uint8Array {
  return Buffer.concat([Buffer.alloc(14, 1), Buffer.from(text)]);
}
