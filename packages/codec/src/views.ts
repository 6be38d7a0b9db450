import type { ClientPacket, QoS, Version } from "./packets.ts";

/**
 * A PUBLISH read in place. One object serves a whole connection: its fields hold only during the
 * call that it is given to. Positions are indexes into `buffer`.
 */
export interface PublishView {
  readonly buffer: Buffer;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  /** 0 at QoS 0, else 1 – 65,535. */
  readonly packetId: number;
  /** The topic name's bytes; start = end where a topic alias stands in its place. Not validated. */
  readonly topicStart: number;
  readonly topicEnd: number;
  /** All properties without their length; start = end where there are none (and in v3). Validated. */
  readonly propertiesStart: number;
  readonly propertiesEnd: number;
  /** Whether all of the properties are to be forwarded, as they stand. */
  readonly propertiesWhole: boolean;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** Topic Alias; -1 if absent (0 is a value that the caller must refuse with 0x94). */
  readonly topicAlias: number;
  /** Message Expiry Interval in seconds; -1 if absent. */
  readonly messageExpiry: number;
  /** Payload Format Indicator is 1. */
  readonly utf8Payload: boolean;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP read in place, valid during the call. */
export interface AckView {
  /** Packet type 4 – 7. */
  readonly type: 4 | 5 | 6 | 7;
  readonly packetId: number;
  /** 0 if absent. */
  readonly reasonCode: number;
}

/** Who is told of the packets in a chunk, in order. */
export interface PacketSink {
  publish(view: PublishView): void;
  ack(view: AckView): void;
  packet(packet: ClientPacket): void;
}

/** How a record is to be written for one kind of subscriber. */
export interface PublishForm {
  version: Version;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  /** Remaining Message Expiry Interval in seconds; -1 for none. */
  expiry: number;
  /** Subscription Identifier properties as wire bytes, or undefined. */
  subscriptionIds: Uint8Array | undefined;
  /** Topic Alias to send; 0 for none. */
  alias: number;
  /** With an alias that the client knows already, the topic name is left out. */
  omitTopic: boolean;
}
