/** The way to one other node: batches in order or not at all. */
import { Deque } from "@canopy/base";
import type { NodeName } from "@canopy/raft";
import type { RpcChannel } from "../channel.ts";
import { encodeMessage } from "../definition.ts";
import { BatchesOpeningSchema, Raft } from "../gen/canopy/raft/v1/raft_pb.ts";
import type { RpcStream } from "../stream.ts";

export interface PeerOptions {
  /** This node. */
  readonly node: NodeName;
  /** To the other; not started. */
  readonly channel: RpcChannel;
  /** Bytes that may wait for a stream. */
  readonly maxWaiting: number;
  /** Of the next stream. */
  readonly nextNumber: () => number;
  readonly onUnreachable: () => void;
  /** There was no way to it for some attempts, and nothing was sent meanwhile. */
  readonly onForgotten: () => void;
}

/**
 * Attempts to connect without anything to send, until the other is forgotten: some seconds, as nodes that
 * found a group say something now and then only, and a peer that is met anew begins with short pauses.
 */
const MOST_IDLE = 8;

export class Peer {
  readonly #options: PeerOptions;
  /** Until there is a stream. */
  readonly #waiting = new Deque<Buffer>();
  #waitingBytes = 0;
  #stream: RpcStream | undefined;
  /** Attempts to connect that have failed since something was sent. */
  #idle = 0;
  #isStopped = false;
  #attempt = 0;

  constructor(options: PeerOptions) {
    this.#options = options;
    const { channel } = options;
    channel.onState((state) => {
      if (state === "ready") void this.#open();
      else if (state === "waiting") this.#failed();
    });
    void channel.start();
  }

  send(batch: Buffer): boolean {
    this.#idle = 0;
    if (this.#stream !== undefined) {
      const isTaken = this.#stream.send(batch);
      // The host has gathered what there is in this turn.
      this.#stream.flush();
      return isTaken;
    }
    if (this.#isStopped || this.#options.channel.state === "waiting") return false;
    if (this.#waitingBytes >= this.#options.maxWaiting) return false;
    this.#waiting.push(batch);
    this.#waitingBytes += batch.length;
    return true;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#drop();
    this.#stream = undefined;
    await this.#options.channel.stop();
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const { node, channel, nextNumber } = this.#options;
    const message = { from: node, number: BigInt(nextNumber()) };
    const opening = encodeMessage(BatchesOpeningSchema, message);
    const handler = { onMessage: () => {}, onClosed: () => this.#broken(attempt) };
    try {
      const stream = await channel.open(Raft.method.batches, { opening, handler });
      if (this.#isStopped || stream.isClosed) return;
      this.#stream = stream;
      this.#sendWaiting(stream);
    } catch {
      this.#broken(attempt);
    }
  }

  /** What there is no credit for is lost, and nothing after it may be taken before. */
  #sendWaiting(stream: RpcStream): void {
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) {
      if (!stream.send(batch)) break;
    }
    this.#drop();
    stream.flush();
  }

  /**
   * Without its stream the connection is of no use: the channel connects anew, after a pause. Where it
   * has broken itself, its state says so.
   */
  #broken(attempt: number): void {
    if (this.#isStopped || attempt !== this.#attempt) return;
    this.#stream = undefined;
    this.#options.channel.reconnect();
  }

  #failed(): void {
    this.#stream = undefined;
    if (this.#isStopped) return;
    this.#drop();
    this.#options.onUnreachable();
    if (++this.#idle <= MOST_IDLE) return;
    this.#options.onForgotten();
    void this.stop();
  }

  #drop(): void {
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }
}
