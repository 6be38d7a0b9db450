/** What other nodes send: their streams of batches, one of each, and their snapshots. */
import { DecodeError } from "@canopy/base";
import {
  decodeBatch,
  decodeOffer,
  type NodeName,
  type SnapshotIntake,
  type TransportHandler,
} from "@canopy/raft";
import { bufferOf, decodeMessage, encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import {
  BatchesOpeningSchema,
  type Raft,
  SnapshotAcceptedSchema,
  SnapshotOpeningSchema,
  SnapshotPartSchema,
} from "../gen/canopy/raft/v1/raft_pb.ts";
import type { Handlers } from "../handlers.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";

/** Part of the window after which batches are acknowledged: nobody waits for less. */
const ACKNOWLEDGED_PART = 8;

interface Incoming {
  readonly number: bigint;
  readonly stream: RpcStream;
}

export class Intakes {
  readonly handlers: Handlers<typeof Raft> = {
    batches: (opening, stream) => this.#batches(opening, stream),
    snapshot: (opening, stream) => this.#snapshot(opening, stream),
  };
  readonly #window: number;
  readonly #incoming = new Map<NodeName, Incoming>();
  readonly #snapshots = new Set<Receiving>();
  #handler: TransportHandler | undefined;

  /** `window`: bytes that one node may have on their way to this one. */
  constructor(window: number) {
    this.#window = window;
  }

  start(handler: TransportHandler): void {
    this.#handler = handler;
  }

  stop(): void {
    this.#handler = undefined;
    const error = stopped();
    for (const { stream } of this.#incoming.values()) stream.close(error);
    this.#incoming.clear();
    for (const snapshot of this.#snapshots) snapshot.fail(error);
  }

  #batches(opening: Buffer, stream: RpcStream): StreamHandler {
    const handler = this.#running();
    const { from, number } = decodeMessage(BatchesOpeningSchema, opening);
    const before = this.#incoming.get(from);
    if (before !== undefined && before.number > number) {
      throw new RpcError("unavailable", "a later stream of this node is here already");
    }
    before?.stream.close(new RpcError("unavailable", "a later stream of this node has come"));
    this.#incoming.set(from, { number, stream });
    let unacknowledged = 0;
    return {
      window: this.#window,
      onMessage: (bytes, count) => {
        handler.onBatch(decoded(() => decodeBatch(bytes)));
        unacknowledged += bytes.length;
        if (unacknowledged < this.#window / ACKNOWLEDGED_PART) return;
        unacknowledged = 0;
        stream.acknowledge(count);
      },
      onClosed: () => {
        if (this.#incoming.get(from)?.stream === stream) this.#incoming.delete(from);
      },
    };
  }

  async #snapshot(opening: Buffer, stream: RpcStream): Promise<StreamHandler> {
    const handler = this.#running();
    const { from, disk, offer } = decodeMessage(SnapshotOpeningSchema, opening);
    const offered = decoded(() => decodeOffer(bufferOf(offer)));
    const intake = await refusable(handler.onSnapshot(from, Number(disk), offered));
    if (stream.isClosed || this.#handler !== handler) {
      await intake.close();
      throw stopped();
    }
    stream.send(encodeMessage(SnapshotAcceptedSchema, { received: BigInt(intake.received) }));
    const receiving = new Receiving(intake, stream, () => this.#snapshots.delete(receiving));
    this.#snapshots.add(receiving);
    return receiving;
  }

  #running(): TransportHandler {
    if (this.#handler === undefined) throw stopped();
    return this.#handler;
  }
}

/** One snapshot that is coming. Parts are written one after the other. */
class Receiving implements StreamHandler {
  readonly #intake: SnapshotIntake;
  readonly #stream: RpcStream;
  readonly #onEnded: () => void;
  #last: Promise<void> = Promise.resolve();
  #hasEnded = false;

  constructor(intake: SnapshotIntake, stream: RpcStream, onEnded: () => void) {
    this.#intake = intake;
    this.#stream = stream;
    this.#onEnded = onEnded;
  }

  onMessage(message: Buffer, number: number): void {
    this.#last = this.#last.then(() => this.#take(message, number));
  }

  async #take(message: Buffer, number: number): Promise<void> {
    if (this.#hasEnded) return;
    try {
      const { position, bytes, finish } = decodeMessage(SnapshotPartSchema, message);
      if (finish) await refusable(this.#intake.finish());
      else await refusable(this.#intake.part(Number(position), bytes));
      this.#stream.acknowledge(number);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  fail(error: Error): void {
    this.#stream.close(error);
    this.onClosed();
  }

  onClosed(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnded();
    this.#last.then(() => this.#intake.close()).catch(() => {});
  }
}

function stopped(): RpcError {
  return new RpcError("unavailable", "this node's transport does not run");
}

/** What the host says against a snapshot is for the sender to read. */
async function refusable<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RpcError("unavailable", reason, { cause: error });
  }
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new RpcError("internal", error.message, { cause: error });
  }
}
