/**
 * The Transport of packages/raft over gRPC: one connection and one stream of batches to each node
 * that is spoken to, and one of each for every snapshot.
 */
import {
  type Clock,
  type Logger,
  type Random,
  systemClock,
  systemRandom,
  systemTimers,
  type Timers,
} from "@canopy/base";
import {
  type Batch,
  encodeBatch,
  type NodeName,
  type SnapshotIntake,
  type SnapshotOffer,
  type Transport,
  type TransportHandler,
} from "@canopy/raft";
import { RpcChannel } from "../channel.ts";
import { RpcError } from "../errors.ts";
import type { Raft } from "../gen/canopy/raft/v1/raft_pb.ts";
import type { Handlers } from "../handlers.ts";
import type { RpcTls } from "../tls.ts";
import { Intakes } from "./intakes.ts";
import { Peer } from "./peer.ts";
import { sendSnapshot } from "./sending.ts";

export interface GrpcTransportOptions {
  readonly node: NodeName;
  /** `host:port` of another node, asked for each attempt to connect; undefined: not known now. */
  readonly resolve: (node: NodeName) => string | undefined;
  readonly tls?: RpcTls | undefined;
  /** What the other node's certificate has to be for, where that is not its address. */
  readonly serverName?: (node: NodeName) => string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  /** What may wait for one node, in bytes; beyond it batches are dropped. */
  readonly maxWaiting?: number;
  /** Pauses between attempts to connect, ms. */
  readonly backoff?: { readonly first: number; readonly longest: number };
}

/** What may wait for one node: above what one group may have in flight, in bytes. */
const MAX_WAITING: number = 32 << 20;
/** A longer batch goes in parts, unless it is of one message. */
const MAX_BATCH_BYTES: number = 8 << 20;

export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  readonly #peers = new Map<NodeName, Peer>();
  /** Of snapshots that are being sent. */
  readonly #snapshots = new Set<RpcChannel>();
  readonly #intakes: Intakes;
  /** Of the streams of batches: grows, also from one life of this process to the next. */
  #number: number;
  #handler: TransportHandler | undefined;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.#number = Math.floor((options.clock ?? systemClock).wall() * 1000);
    this.#intakes = new Intakes(options.maxWaiting ?? MAX_WAITING);
  }

  /** For the server that other nodes reach this one by: `server.add(Raft, transport.handlers)`. */
  get handlers(): Handlers<typeof Raft> {
    return this.#intakes.handlers;
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler;
    this.#intakes.start(handler);
  }

  async stop(): Promise<void> {
    this.#handler = undefined;
    this.#intakes.stop();
    const ending = [...this.#peers.values(), ...this.#snapshots];
    this.#peers.clear();
    await Promise.all(ending.map((one) => one.stop()));
  }

  send(to: NodeName, batch: Batch): boolean {
    const handler = this.#handler;
    if (handler === undefined) return false;
    let peer = this.#peers.get(to);
    if (peer === undefined) {
      peer = this.#meet(to, handler);
      this.#peers.set(to, peer);
    }
    return sendParts(peer, batch);
  }

  async openSnapshot(to: NodeName, disk: number, offer: SnapshotOffer): Promise<SnapshotIntake> {
    if (this.#handler === undefined) throw new RpcError("unavailable", "the transport is stopped");
    const channel = this.#channel(to);
    this.#snapshots.add(channel);
    channel.onState((state) => {
      if (state === "closed") this.#snapshots.delete(channel);
    });
    return sendSnapshot(channel, this.#options.node, disk, offer);
  }

  #meet(to: NodeName, handler: TransportHandler): Peer {
    return new Peer({
      node: this.#options.node,
      channel: this.#channel(to),
      maxWaiting: this.#options.maxWaiting ?? MAX_WAITING,
      nextNumber: () => ++this.#number,
      onUnreachable: () => handler.onUnreachable(to),
      onForgotten: () => this.#peers.delete(to),
    });
  }

  #channel(to: NodeName): RpcChannel {
    const { resolve, tls, serverName, logger, backoff } = this.#options;
    const { clock = systemClock, timers = systemTimers, random = systemRandom } = this.#options;
    return new RpcChannel({
      address: () => resolve(to),
      tls,
      serverName: serverName?.(to),
      logger,
      clock,
      timers,
      random,
      ...(backoff === undefined ? {} : { backoff }),
    });
  }
}

/** A server takes messages of a certain length only, and one turn may have something of many groups. */
function sendParts(peer: Peer, batch: Batch): boolean {
  const bytes = encodeBatch(batch);
  const { envelopes } = batch;
  if (bytes.length <= MAX_BATCH_BYTES || envelopes.length < 2) return peer.send(bytes);
  const half = envelopes.length >> 1;
  const isTaken = sendParts(peer, { ...batch, envelopes: envelopes.slice(0, half) });
  const rest = { ...batch, beats: [], hellos: [], envelopes: envelopes.slice(half) };
  return isTaken && sendParts(peer, rest);
}
