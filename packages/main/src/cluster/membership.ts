import {
  Deferred,
  type Lifecycle,
  type Logger,
  systemClock,
  systemRandom,
  systemTimers,
  type Timer,
} from "@canopy/base";
import { ControlClient, LeaseKeeper, ViewFollower } from "@canopy/cluster";
import {
  ControlError,
  type Incarnation,
  type MemberKind,
  type ReadonlyView,
} from "@canopy/control";
import { controlOver, type RpcTls } from "@canopy/rpc";
import { Channels, once } from "./channels.ts";
import type { SessionNodes } from "./session-nodes.ts";
import { sayWaiting } from "./waiting.ts";

export interface MembershipOptions {
  readonly kind: MemberKind;
  readonly name: string;
  /** Where others reach it; empty for a gateway. */
  readonly address: string;
  readonly disk: string;
  /** Of a gateway: this process's life before, if there was one, as it ends where another takes its place. */
  readonly after?: Incarnation | undefined;
  readonly nodes: SessionNodes;
  readonly tls: RpcTls | undefined;
  readonly logger: Logger;
  /** Nothing may be answered from here on; see valid(). */
  readonly expired?: () => void;
  /** Its lease holds again after it did not: what was held back may leave. */
  readonly renewed?: () => void;
}

/** Between two tries to join, ms. */
const PAUSE = 500;
/** How long a planned end waits until others know of it, ms: else they find out. */
const LEAVE_TIMEOUT = 1_000;

/** One life of a gateway or a store process in the cluster: from start() to the end of its lease. */
export class Membership implements Lifecycle {
  readonly client: ControlClient;
  /** Settles when others count it as dead. */
  readonly over: Promise<string>;
  readonly #options: MembershipOptions;
  readonly #channels: Channels;
  readonly #follower: ViewFollower;
  readonly #keeper: LeaseKeeper;
  readonly #over = new Deferred<string>();
  #stopped = false;

  constructor(options: MembershipOptions) {
    const { nodes, tls, logger, kind, name, disk } = options;
    const around = { clock: systemClock, timers: systemTimers, random: systemRandom };
    this.#options = options;
    this.over = this.#over.promise;
    // Of its own: renewals wait behind nothing else.
    this.#channels = new Channels({ address: (node) => nodes.address(node), tls, logger });
    this.client = new ControlClient({
      ...around,
      nodes: () => nodes.names(),
      connect: once((node) => controlOver(this.#channels.get(node))),
    });
    this.#follower = new ViewFollower({ ...around, control: this.client });
    const owner = {
      expired: () => {
        logger.warn({}, "the lease has run out: nothing is answered until it is renewed");
        options.expired?.();
      },
      renewed: () => {
        logger.info({}, "the lease is renewed");
        options.renewed?.();
      },
      ended: (error: ControlError) => this.#over.resolve(error.message),
      behind: () => this.#follower.elsewhere(),
    };
    const identity = { kind, name, address: options.address, disk };
    this.#keeper = new LeaseKeeper({ ...around, ...identity, control: this.client, owner });
  }

  get view(): ReadonlyView {
    return this.#follower.view;
  }

  /** 0 before start() has settled. */
  get incarnation(): number {
    return this.#keeper.incarnation;
  }

  /** Whether anything may be answered now. */
  readonly valid = (): boolean => this.#keeper.valid(systemClock.now());

  /** Everything up to this version is obeyed here. */
  readonly acknowledge = (version: number): void => this.#keeper.acknowledge(version);

  /** Settles when the cluster knows it, and it knows the cluster. Waits as long as need be. */
  async start(): Promise<void> {
    const { nodes, logger } = this.#options;
    this.#follower.start();
    const what = () => `the session nodes: ${nodes.describe()}`;
    const say = { timers: systemTimers, logger };
    await sayWaiting(this.#mayFollow(), what, say);
    await sayWaiting(this.#joined(), what, say);
    await sayWaiting(this.#follower.reached(this.#keeper.incarnation), what, say);
  }

  /** A planned end, so that others need not wait for that of the lease. Settles when they know, or soon. */
  async leave(): Promise<void> {
    const left = this.#keeper.leave().catch(() => {});
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = systemTimers.set(LEAVE_TIMEOUT, resolve);
    });
    await Promise.race([left, late]);
    timer?.cancel();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#keeper.stop();
    this.#follower.stop();
    this.client.close();
    await this.#channels.stop();
  }

  /** Two processes of one name would replace each other for ever: the later one stays. */
  async #mayFollow(): Promise<void> {
    const { kind, name, after = 0 } = this.#options;
    if (kind !== "gateway" || after === 0) return;
    await this.#follower.reached(after);
    for (const other of this.view.gateways()) {
      if (other.name !== name || other.incarnation <= after) continue;
      const problem = `another gateway that is called ${name} has taken the place of this one`;
      throw new Error(`${problem}: each needs a node.name of its own`);
    }
  }

  async #joined(): Promise<void> {
    for (;;) {
      try {
        await this.#keeper.join();
        return;
      } catch (error) {
        // A cluster that is not created yet is one that is not there yet.
        const isLasting = error instanceof ControlError && error.code === "refused";
        if (this.#stopped || (isLasting && this.view.shards > 0)) throw error;
        this.#options.logger.debug({ error: String(error) }, "can't join yet");
      }
      await new Promise((resolve) => systemTimers.set(PAUSE, () => resolve(undefined)));
    }
  }
}
