/** What happened since the start; read by {@link Shards.counts} and by whoever shows metrics. */
export class Counters {
  storedMessages = 0;
  /** Messages that left a queue by a limit. */
  dropped = 0;
  /** Values that were sent on but not retained: no room, or the disk refused. */
  notRetained = 0;
  /** Messages of QoS 0 for which there was no room behind those that wait for the disk. */
  refused = 0;
  /** Messages of shared groups that nobody was left for. */
  undispatched = 0;
}
