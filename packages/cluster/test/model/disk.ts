/** A message as it is stored. */
export interface Logged {
  readonly id: number;
  readonly gateway: number;
  readonly epoch: number;
}

/** One shard in a backend that all store processes share: whoever opened it last may write. */
export class Disk {
  epoch = 0;
  readonly log: Logged[] = [];
  /** Gateway → its last batch that is stored. */
  readonly seqs = new Map<number, number>();
  /** Ids with a receipt. */
  readonly receipts = new Set<number>();

  /** Atomic; false for who was fenced. */
  append(epoch: number, gateway: number, seq: number, messages: readonly Message[]): boolean {
    if (epoch !== this.epoch) return false;
    for (const { id, receipt } of messages) {
      this.log.push({ id, gateway, epoch });
      if (receipt) this.receipts.add(id);
    }
    if (messages.length > 0) this.seqs.set(gateway, seq);
    return true;
  }
}

/** As the model's store processes read it from a record. */
export interface Message {
  readonly index: number;
  readonly id: number;
  readonly qos: number;
  readonly receipt: boolean;
  /** It was withdrawn: it is not stored, but pushed where it is. */
  readonly isLeft: boolean;
}
