export { Decoder } from "./decoder.ts";
export {
  ACK_SIZE,
  packetIdOffset,
  publishLength,
  subscriptionIdBytes,
  writeAck,
  writePublish,
} from "./encoder.ts";
export type {
  Ack,
  Auth,
  ClientPacket,
  Connack,
  Connect,
  Disconnect,
  PingRequest,
  PingResponse,
  QoS,
  ServerAuth,
  ServerDisconnect,
  ServerPacket,
  Suback,
  Subscribe,
  SubscriptionRequest,
  Unsuback,
  Unsubscribe,
  UserProperties,
  Version,
  Will,
} from "./packets.ts";
export { connackReturnCode, MalformedPacket, REASON, reasonName } from "./reason.ts";
export { encodeRecord, type Message, RecordView } from "./record.ts";
export { RecordBatch } from "./record-batch.ts";
export { encode } from "./server-packets.ts";
export type { AckView, PacketSink, PublishForm, PublishView } from "./views.ts";
