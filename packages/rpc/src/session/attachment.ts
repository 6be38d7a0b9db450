/** A gateway's stream to the leader of one group, on which it is asked to give sessions up. */
import type { GatewayPeer } from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import {
  AttachOpeningSchema,
  Sessions,
  StopReason,
  StopSchema,
} from "../gen/canopy/session/v1/session_pb.ts";
import { nameOf } from "../numbers.ts";
import type { RpcStream } from "../stream.ts";
import { asUnavailable } from "./errors.ts";
import { fromKey } from "./values.ts";

export const STOP_REASONS: Readonly<Record<"taken-over" | "deleted", StopReason>> = {
  "taken-over": StopReason.TAKEN_OVER,
  deleted: StopReason.DELETED,
};

/** What a gateway may have before it, in bytes; what is beyond comes when it is repeated. */
const WINDOW: number = 64 << 10;

export class Attachment {
  readonly #peer: GatewayPeer;
  #stream: RpcStream | undefined;
  #isClosed = false;

  constructor(peer: GatewayPeer) {
    this.#peer = peer;
  }

  /** Settles when the group knows the gateway. */
  async open(channel: RpcChannel, group: number, gateway: number, deadline: number): Promise<void> {
    const opening = encodeMessage(AttachOpeningSchema, { group, gateway: BigInt(gateway) });
    const handler = {
      window: WINDOW,
      onMessage: (message: Buffer, number: number) => {
        if (!this.#isClosed) this.#onStop(message);
        this.#stream?.acknowledge(number);
      },
      onClosed: (error: Error | undefined) => {
        if (this.#isClosed) return;
        this.#isClosed = true;
        const reason = error ?? new RpcError("unavailable", "the other side has closed the stream");
        this.#peer.ended?.(asUnavailable(reason));
      },
    };
    const stream = await channel.open(Sessions.method.attach, { opening, handler, deadline });
    this.#stream = stream;
    if (this.#isClosed) stream.close();
  }

  /** The peer is not called any more. */
  close(): void {
    this.#isClosed = true;
    this.#stream?.close();
  }

  #onStop(message: Buffer): void {
    const { session, reason } = decodeMessage(StopSchema, message);
    const { incarnation, epoch } = fromKey(session);
    this.#peer.stop(incarnation, epoch, nameOf(STOP_REASONS, reason, "reason to stop"));
  }
}
