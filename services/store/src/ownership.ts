import type { Store } from "@canopy/store";

/**
 * What the store service is told of the control log, in its order. Gateways' and this process's own
 * incarnation are versions of that log.
 */
export interface ShardControl {
  /** The gateway is live: shards wait until it knows of their owner. */
  gatewayUp(gateway: number): void;
  /** It is down for good: nothing that it says has an effect any more, and nobody waits for it. */
  gatewayDown(gateway: number): void;
  /**
   * This process owns the shard under the epoch since `version`. Settles when batches are accepted:
   * the backend is open, the routes of all session groups are known, and every live gateway knows the
   * control log up to the version. Rejects when the first attempt fails; it is tried again all the same.
   */
  own(shard: number, epoch: number, version: number): Promise<void>;
  /** Somebody else owns it, or nobody. Settles when nothing of it is under way here any more. */
  lose(shard: number): Promise<void>;
}

/** What the store service asks of who gives it its shards. */
export interface Ownership {
  /** Of this process; session groups that know it wait for it when something is subscribed. */
  readonly incarnation: number;
  /** Before the service has started: the first shards may be given. Settles when it may be used. */
  start(): Promise<void>;
  /**
   * The epoch of a shard is of no use any more (its backend failed over, or its offsets are used up):
   * asks for one above, which comes by {@link ShardControl.own}. Rejects where that can't be asked.
   */
  reopen(shard: number, above: number): Promise<void>;
  /** Whether this process's own lease holds now; asked in the loop that answers. */
  valid(): boolean;
}

/** Everything belongs to this process, which is the only one. */
export function ownAlone(store: Store, shards: number): (control: ShardControl) => Ownership {
  return (control) => {
    const open = async (shard: number, above: number): Promise<void> => {
      const highest = Math.max(await store.epoch(shard), above);
      await control.own(shard, highest + 1, 0);
    };
    return {
      incarnation: 0,
      start: async () => {
        await Promise.all(Array.from({ length: shards }, (_, shard) => open(shard, 0)));
      },
      reopen: open,
      valid: () => true,
    };
  };
}
