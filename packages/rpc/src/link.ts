/** A connection that is kept up: attempts, their pauses, and what is known of them. */
import { Deferred, type Logger, type Random, type Timer, type Timers } from "@canopy/base";
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  connectivityState,
} from "@grpc/grpc-js";
import { RpcError } from "./errors.ts";

/** `waiting`: the last attempt failed, and the next comes after a pause. */
export type LinkState = "idle" | "connecting" | "ready" | "waiting" | "closed";

export interface LinkOptions {
  /** Asked anew for each attempt; undefined: not known now. */
  readonly address: () => string | undefined;
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
  readonly connectTimeout: number;
  readonly backoff: { readonly first: number; readonly longest: number };
  readonly logger: Logger;
  readonly timers: Timers;
  readonly random: Random;
  onState(state: LinkState): void;
}

export class Link {
  readonly #options: LinkOptions;
  #state: LinkState = "idle";
  #client: Client | undefined;
  #address: string | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  /** Those who wait for the attempt that is under way. */
  #attempt = new Deferred<Client>();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Of the connection, or the last attempt. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Undefined but while the connection is up. */
  get ready(): Client | undefined {
    return this.#state === "ready" ? this.#client : undefined;
  }

  /** The connection when the attempt that is under way succeeds; rejects where there is none. */
  async connected(): Promise<Client> {
    if (this.#state === "ready" && this.#client !== undefined) return this.#client;
    if (this.#state !== "connecting") throw this.#unavailable();
    return this.#attempt.promise;
  }

  connect(): void {
    if (this.#state === "closed") return;
    this.#address = this.#options.address();
    this.#attempt = new Deferred();
    // Nobody may be waiting for it.
    this.#attempt.promise.catch(() => {});
    this.#enter("connecting");
    if (this.#address === undefined) {
      this.#lost("the address is not known");
      return;
    }
    const { credentials, options, connectTimeout, timers } = this.#options;
    const client = new Client(this.#address, credentials, options);
    this.#client = client;
    this.#timer = timers.set(connectTimeout, () => this.#lost("no answer"));
    this.#watch(client);
  }

  /** Does nothing but while the connection is up. */
  reconnect(): void {
    if (this.#state === "ready") this.#lost("given up");
  }

  #watch(client: Client): void {
    const channel = client.getChannel();
    const state = channel.getConnectivityState(this.#state === "connecting");
    if (state === connectivityState.READY) this.#isUp(client);
    if (state === connectivityState.TRANSIENT_FAILURE) {
      explain(client, (reason) => {
        if (this.#client === client) this.#lost(reason);
      });
      return;
    }
    if (this.#state === "ready" && state !== connectivityState.READY) {
      this.#lost("the connection broke");
      return;
    }
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, (error) => {
      if (error === undefined && this.#client === client) this.#watch(client);
    });
  }

  #isUp(client: Client): void {
    if (this.#state === "ready") return;
    this.#timer?.cancel();
    this.#failures = 0;
    this.#enter("ready");
    this.#attempt.resolve(client);
  }

  #lost(reason: string): void {
    const { backoff, random, timers, logger } = this.#options;
    this.#drop();
    const longest = Math.min(backoff.first * 2 ** this.#failures, backoff.longest);
    const pause = longest * (1 - random.next() / 2);
    const fields = { address: this.#address, reason, pause: Math.round(pause) };
    if (this.#failures === 0) logger.info(fields, "no connection");
    else logger.debug(fields, "no connection");
    this.#failures++;
    this.#timer = timers.set(pause, () => this.connect());
    this.#enter("waiting");
    this.#attempt.reject(this.#unavailable(reason));
  }

  #drop(): void {
    this.#timer?.cancel();
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  #enter(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState(state);
  }

  #unavailable(reason: string = this.#state): RpcError {
    return new RpcError("unavailable", `no connection to ${this.#address}: ${reason}`);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#drop();
    this.#enter("closed");
    this.#attempt.reject(this.#unavailable());
  }
}

/** grpc-js tells why it could not connect only to a call, which fails with it at once. */
function explain(client: Client, done: (reason: string) => void): void {
  const nothing = (): Buffer => Buffer.alloc(0);
  client.makeUnaryRequest("/grpc.health.v1.Health/Check", nothing, nothing, undefined, (error) => {
    done(error === null ? "the connection broke" : causeIn(error.details));
  });
}

/** grpc-js wraps what the system said into what it did itself. */
function causeIn(details: string): string {
  const [, cause] = /Last error: (?:Error: )?(.+?)\.? Resolution note:/s.exec(details) ?? [];
  return cause ?? details;
}
