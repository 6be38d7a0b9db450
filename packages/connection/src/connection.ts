import { unreachable } from "@canopy/base";
import type {
  AckView,
  ClientPacket,
  Connect,
  PacketSink,
  PublishView,
  ServerPacket,
  Version,
} from "@canopy/codec";
import { connackReason, connackReturnCode, disconnectReason, REASON } from "@canopy/codec/reason";
import { handleAck } from "./acks.ts";
import { InboundAliases, OutboundAliases } from "./aliases.ts";
import { Answers } from "./answers.ts";
import { authAnswered, handleAuth } from "./auth.ts";
import { acceptConnection, handleConnect, openSession } from "./connect.ts";
import type { Delivery } from "./delivery.ts";
import { DELIVERY } from "./delivery.ts";
import { handleDisconnect } from "./disconnect.ts";
import type { Effects, Ending, OpenedSession } from "./effects.ts";
import { handlePublish, INBOUND } from "./publish.ts";
import { publishedCode } from "./reason-codes.ts";
import type { ConnectionSettings } from "./settings.ts";
import { handleSubscribe } from "./subscribe.ts";
import { handleUnsubscribe } from "./unsubscribe.ts";
import { Window } from "./window.ts";

/** Never written to. */
const NO_INBOUND: Map<number, number> = new Map();

export type Phase =
  /** Nothing but CONNECT may come [MQTT-3.1.0-1]. */
  | "new"
  /** CONNECT has come; authentication is under way. */
  | "authenticating"
  /** The session is being opened. */
  | "opening"
  | "open"
  | "ended";

/** One answer of an authenticator to a step of an exchange. */
export type AuthAnswer =
  | { readonly kind: "continue"; readonly data: Uint8Array }
  | { readonly kind: "success"; readonly data?: Uint8Array | undefined }
  | { readonly kind: "failure"; readonly reason: number; readonly text: string };

/**
 * The protocol of one client: packets and answers in, {@link Effects} out. It does no I/O and knows
 * no time. Fields are for the handlers in this folder and, but for `window`, `aliases` and what is
 * said to be public, nobody else's.
 */
export class Connection<S> implements PacketSink {
  readonly settings: ConnectionSettings;
  readonly effects: Effects<S>;
  phase: Phase = "new";
  /** 5 until a CONNECT says otherwise. */
  version: Version = 5;
  connect: Connect | undefined = undefined;
  clientId = "";
  /** Granted Session Expiry Interval, seconds. */
  expiry = 0;
  /** Whether Reason Strings may be sent beside CONNACK and DISCONNECT [MQTT-3.1.2-29]. */
  problemInformation = true;
  /** Keep alive in force, seconds; 0 = off. */
  keepAlive = 0;
  /** The session was there before this connection. */
  resumed = false;
  /** An authenticator's answer is awaited. */
  authPending = false;
  reauthenticating = false;
  /** Authentication Data that goes into CONNACK. */
  authData: Uint8Array | undefined = undefined;
  readonly answers: Answers = new Answers();
  /** Slot of the last message that the store refused. */
  #refusedSlot = -1;
  /** Packet identifiers of QoS 2 PUBLISHes whose PUBCOMP is owed, see {@link INBOUND}. */
  inbound: Map<number, number> = NO_INBOUND;
  /** PUBLISHes of QoS 1 and 2 that count against the server's Receive Maximum. */
  unfinishedInbound = 0;
  /** v3 flow control holds the client. */
  held = false;
  readonly aliasesIn: InboundAliases = new InboundAliases();
  aliases: OutboundAliases = new OutboundAliases(0);
  window: Window<S>;
  readonly #sendAnswer: (type: 4 | 5, packetId: number, reasonCode: number) => void;

  constructor(settings: ConnectionSettings, effects: Effects<S>) {
    this.settings = settings;
    this.effects = effects;
    this.window = new Window<S>(settings.maxInflight);
    this.#sendAnswer = (type, packetId, reasonCode) => {
      this.#answer(type, packetId, reasonCode);
    };
  }

  // --- what comes from the wire -----------------------------------------------------------------

  publish(view: PublishView): void {
    if (this.phase === "open") handlePublish(this, view);
    else this.#unexpected("PUBLISH");
  }

  ack(view: AckView): void {
    if (this.phase === "open") handleAck(this, view);
    else this.#unexpected("an acknowledgement");
  }

  packet(packet: ClientPacket): void {
    if (this.phase === "ended") return;
    if (packet.type === "connect") {
      handleConnect(this, packet);
      return;
    }
    if (packet.type === "auth") {
      handleAuth(this, packet);
      return;
    }
    if (packet.type === "disconnect") {
      handleDisconnect(this, packet);
      return;
    }
    if (this.phase !== "open") {
      this.#unexpected(packet.type.toUpperCase());
      return;
    }
    switch (packet.type) {
      case "subscribe":
        handleSubscribe(this, packet);
        return;
      case "unsubscribe":
        handleUnsubscribe(this, packet);
        return;
      case "pingreq":
        this.effects.send({ type: "pingresp" }); // [MQTT-3.12.4-1]
        return;
      default:
        unreachable(packet);
    }
  }

  /**
   * What came can't be read [MQTT-4.13.1-1]. `version`: in which a CONNECT is refused that can't; 0
   * where there is none, or the packet is another.
   */
  malformed(reasonCode: number, text: string, version: Version | 0): void {
    if (this.phase === "new" && version !== 0) {
      this.version = version;
      const refusal = this.#refusal(reasonCode, text);
      // before MQTT 5 only an unknown version is answered [v3:MQTT-3.1.2-2] [v3:MQTT-3.1.4-1]
      const isTold = version === 5 || reasonCode === REASON.unsupportedProtocolVersion;
      if (isTold) this.effects.send(refusal);
    }
    this.fail(reasonCode, text);
  }

  /** The network connection is gone. */
  lost(text: string): void {
    this.end({
      reasonCode: REASON.unspecifiedError,
      text,
      by: "network",
      will: this.will,
      expiry: undefined,
    });
  }

  // --- answers to effects -----------------------------------------------------------------------

  /** Authentication of a plain CONNECT succeeded. */
  authenticated(): void {
    if (this.phase === "authenticating") openSession(this);
  }

  authAnswered(answer: AuthAnswer): void {
    authAnswered(this, answer);
  }

  opened(session: OpenedSession): void {
    if (this.phase === "opening") acceptConnection(this, session);
  }

  /** Refuses a CONNECT, or ends the connection where it is open already. */
  refused(reasonCode: number, text: string): void {
    this.fail(reasonCode, text);
  }

  answered(slot: number, reasonCode: number): void {
    if (this.phase !== "open") return;
    if (reasonCode >= 0x80) this.#refusedSlot = slot;
    this.settle(slot, reasonCode);
  }

  /**
   * Ends the connection where the client can't be told that a message was not stored, as what came
   * before it has no answer yet: it would send it again, behind later ones that are stored meanwhile.
   */
  endIfRefusalWaits(): void {
    if (this.phase !== "open" || this.answers.isSent(this.#refusedSlot)) return;
    this.fail(REASON.unspecifiedError, "a message could not be stored");
  }

  /** Settles a PUBLISH that needs no store. */
  settle(slot: number, reasonCode: number): void {
    this.answers.settle(slot, publishedCode(reasonCode), this.#sendAnswer);
    this.#letGo();
  }

  /** The receipt of this packet identifier is gone: PUBCOMP may leave. */
  forgotten(packetId: number): void {
    if (this.phase !== "open") return;
    const state = this.inbound.get(packetId);
    if (state === undefined) return;
    this.inbound.delete(packetId);
    if (state === INBOUND.releasing) this.unfinishedInbound--;
    this.effects.ack(7, packetId, REASON.success);
  }

  /** PUBREC is committed: PUBREL may leave. */
  release(delivery: Delivery<S>): void {
    delivery.state = DELIVERY.released;
    if (this.phase === "open") this.effects.ack(6, delivery.packetId, REASON.success);
  }

  /** Receipts of an earlier connection: these PUBLISHes are stored, their PUBREL is awaited. */
  restoreInbound(packetIds: Iterable<number>): void {
    for (const id of packetIds) this.setInbound(id, INBOUND.restored);
  }

  // --- for the handlers -------------------------------------------------------------------------

  /** Where an inbound QoS 2 PUBLISH stands; most clients never send one. */
  setInbound(packetId: number, state: number): void {
    if (this.inbound === NO_INBOUND) this.inbound = new Map();
    this.inbound.set(packetId, state);
  }

  /** Whether Reason Strings may be sent in acknowledgements. */
  reasonString(text: string): { reasonString: string } | undefined {
    return this.version === 5 && this.problemInformation ? { reasonString: text } : undefined;
  }

  /** Ends the connection because of an error, telling the client why where its version can hear it. */
  fail(reasonCode: number, text: string): void {
    if (this.phase === "ended") return;
    const packet = this.#farewell(reasonCode, text);
    if (packet !== undefined) this.effects.send(packet);
    this.end({ reasonCode, text, by: "server", will: this.will, expiry: undefined });
  }

  end(ending: Ending): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    this.effects.end(ending);
  }

  #farewell(reasonCode: number, text: string): ServerPacket | undefined {
    if (this.phase === "open") {
      if (this.version !== 5) return undefined; // v3 has no DISCONNECT from the server
      return { type: "disconnect", reasonCode: disconnectReason(reasonCode), reasonString: text };
    }
    if (this.connect === undefined) return undefined; // nothing before CONNECT is answered
    return this.#refusal(reasonCode, text);
  }

  #refusal(reasonCode: number, text: string): ServerPacket {
    if (this.version === 5) {
      const code = connackReason(reasonCode);
      return { type: "connack", sessionPresent: false, reasonCode: code, reasonString: text };
    }
    const returnCode = connackReturnCode(reasonCode);
    return { type: "connack", sessionPresent: false, reasonCode: returnCode };
  }

  /** A will counts from the acceptance of the connection on. */
  get will(): "publish" | "drop" {
    return this.phase === "open" ? "publish" : "drop";
  }

  #unexpected(what: string): void {
    if (this.phase === "ended") return;
    this.fail(REASON.protocolError, `${what} before the connection was accepted`);
  }

  #answer(type: 4 | 5, packetId: number, reasonCode: number): void {
    if (this.phase !== "open") return;
    if (reasonCode >= 0x80 && this.version !== 5) {
      // v3 has no negative acknowledgement: without one the client sends it again
      this.fail(reasonCode, "a message could not be stored");
      return;
    }
    if (type === 5 && reasonCode < 0x80) {
      this.setInbound(packetId, INBOUND.stored);
    } else {
      if (type === 5) this.inbound.delete(packetId);
      this.unfinishedInbound--;
    }
    if (reasonCode >= 0x80 && this.problemInformation) this.#negative(type, packetId, reasonCode);
    else this.effects.ack(type, packetId, reasonCode);
  }

  #negative(type: 4 | 5, packetId: number, reasonCode: number): void {
    this.effects.send({
      type: type === 4 ? "puback" : "pubrec",
      packetId,
      reasonCode,
      reasonString: negativeText(reasonCode),
    });
  }

  /** v3 flow control ends when half of what waited is answered. Packets may come of it at once. */
  #letGo(): void {
    if (!this.held || this.phase !== "open") return;
    if (this.answers.size * 2 > this.settings.receiveMaximum) return;
    this.held = false;
    this.effects.hold(false);
  }
}

function negativeText(reasonCode: number): string {
  switch (reasonCode) {
    case REASON.quotaExceeded:
      return "no room to store the message; try again later";
    case REASON.notAuthorized:
      return "not allowed to publish to this topic";
    case REASON.topicNameInvalid:
      return "this topic name is not accepted here";
    case REASON.payloadFormatInvalid:
      return "the payload is not the UTF-8 that it says it is";
    case REASON.packetIdentifierInUse:
      return "this packet identifier is in use";
    default:
      return "the message could not be stored; try again later";
  }
}
