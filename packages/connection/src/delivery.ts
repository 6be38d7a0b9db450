/** Where a delivery stands. */
export const DELIVERY = {
  /** It has a packet identifier that is not committed yet (of a durable session). */
  assigning: 0,
  /** PUBLISH is sent; PUBACK or PUBREC is awaited. */
  sent: 1,
  /** PUBREC has come; that is not committed yet. */
  receiving: 2,
  /** PUBREL is sent; PUBCOMP is awaited. */
  released: 3,
  /** PUBCOMP has come; freeing it waits for something else. */
  completing: 4,
  /** Over. */
  finished: 5,
} as const;

export type DeliveryState = (typeof DELIVERY)[keyof typeof DELIVERY];

/**
 * A PUBLISH of QoS 1 or 2 on its way to the client, from its packet identifier on. The protocol
 * uses `packetId`, `order`, `qos` and `state`; the rest belongs to whoever delivers.
 */
export class Delivery<S> {
  packetId = 0;
  /** The window's: grows with each delivery that it takes. */
  order = 0;
  readonly qos: 1 | 2;
  state: DeliveryState = DELIVERY.assigning;
  /** The subscription (or what stands for it) that it was made for. */
  readonly source: S;
  readonly shard: number;
  /** Offset in the shard; 0 for a message that is not stored. */
  readonly offset: number;
  /** Topic name of a retained value; undefined for any other message. */
  readonly retainedTopic: string | undefined;
  /** The record, kept only while it may have to be sent or given to somebody else. */
  record: Uint8Array | undefined;

  constructor(
    qos: 1 | 2,
    source: S,
    shard: number,
    offset: number,
    retainedTopic: string | undefined,
    record: Uint8Array | undefined,
  ) {
    this.qos = qos;
    this.source = source;
    this.shard = shard;
    this.offset = offset;
    this.retainedTopic = retainedTopic;
    this.record = record;
  }
}
