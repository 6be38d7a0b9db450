/** What a gateway's messages came to on their way to the owners of shards. */
export class ShardsCounters {
  /** QoS 0 to shards without an owner that can be reached, or without room; and what was returned. */
  dropped = 0;
  /** QoS ≥ 1 that was answered 0x97, as too much waits. */
  refused = 0;
  /** QoS ≥ 1 that was answered 0x80, as no owner took it in time. */
  givenUp = 0;
}
