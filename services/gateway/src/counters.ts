/** What the gateway counts since its start; plain fields, because the hot path counts too. */
export class Counters {
  bytesReceived = 0;
  bytesSent = 0;
  /** Packets of every type. */
  packetsReceived = 0;
  packetsSent = 0;
  publishReceived = 0;
  publishSent = 0;
  /** Bytes of payloads received, of packets sent. */
  publishBytesReceived = 0;
  publishBytesSent = 0;
  /** Messages that were not delivered because a client did not keep up. */
  dropped = 0;
  /** PUBLISHes that were refused. */
  publishRefused = 0;
  connectionsTotal = 0;
  connectionsRefused = 0;
  /** Connected now, and most at once. */
  connected = 0;
  connectedMaximum = 0;
}
