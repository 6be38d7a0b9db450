/** The sending side of one snapshot, over a connection of its own. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Deferred } from "@canopy/base";
import { encodeOffer, type NodeName, type SnapshotIntake, type SnapshotOffer } from "@canopy/raft";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import {
  Raft,
  SnapshotAcceptedSchema,
  SnapshotOpeningSchema,
  SnapshotPartSchema,
} from "../gen/canopy/raft/v1/raft_pb.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";

/** Opening waits for a slot at the other side, so this is only against hanging for ever. */
const OPEN_MS = 60_000;

/** Offers it, and settles when it is taken. The channel is this transfer's own, and not started. */
export async function sendSnapshot(
  channel: RpcChannel,
  from: NodeName,
  disk: number,
  offer: SnapshotOffer,
): Promise<SnapshotIntake> {
  const sending = new Sending(channel);
  const fields = { from, disk: BigInt(disk), offer: encodeOffer(offer) };
  try {
    await channel.start();
    await sending.open(encodeMessage(SnapshotOpeningSchema, fields));
    return sending;
  } catch (error) {
    await channel.stop();
    throw error;
  }
}

class Sending implements SnapshotIntake, StreamHandler {
  readonly #channel: RpcChannel;
  readonly #accepted = new Deferred<number>();
  /** By the message's number: who waits for its acknowledgement. */
  readonly #waiting = new Map<number, Deferred>();
  /** One after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #stream: RpcStream | undefined;
  #error: Error | undefined;
  #received = 0;

  constructor(channel: RpcChannel) {
    this.#channel = channel;
  }

  get received(): number {
    return this.#received;
  }

  async open(opening: Uint8Array): Promise<void> {
    const { snapshot } = Raft.method;
    // Told by onClosed where the stream breaks before it was accepted.
    this.#accepted.promise.catch(() => {});
    this.#stream = await this.#channel.open(snapshot, {
      opening,
      handler: this,
      deadline: OPEN_MS,
    });
    this.#received = await this.#accepted.promise;
  }

  part(position: number, bytes: Uint8Array): Promise<void> {
    return this.#say({ position: BigInt(position), bytes });
  }

  finish(): Promise<void> {
    return this.#say({ finish: true });
  }

  async close(): Promise<void> {
    this.#stream?.close();
    this.#broken(new RpcError("cancelled", "the snapshot's sender has closed it"));
    await this.#channel.stop();
  }

  /** Settles when the other side has done with it, and with all that came before. */
  #say(part: MessageInitShape<typeof SnapshotPartSchema>): Promise<void> {
    const said = this.#last.then(() => this.#send(encodeMessage(SnapshotPartSchema, part)));
    this.#last = said.catch(() => {});
    return said;
  }

  async #send(message: Buffer): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    const stream = this.#stream as RpcStream;
    // Everything before it is acknowledged, so there is credit.
    if (!stream.send(message)) throw new RpcError("internal", "no credit for the snapshot");
    const acknowledged = new Deferred();
    this.#waiting.set(stream.sent, acknowledged);
    stream.flush();
    await acknowledged.promise;
  }

  onMessage(message: Buffer): void {
    const { received } = decodeMessage(SnapshotAcceptedSchema, message);
    this.#accepted.resolve(Number(received));
  }

  onAcknowledged(number: number): void {
    for (const [sent, waiting] of this.#waiting) {
      if (sent > number) break;
      this.#waiting.delete(sent);
      waiting.resolve();
    }
  }

  onClosed(error: Error | undefined): void {
    this.#broken(error ?? new RpcError("unavailable", "the snapshot's stream was closed"));
  }

  #broken(error: Error): void {
    this.#error ??= error;
    this.#accepted.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
