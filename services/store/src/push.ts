import type { Offset, PublishBatch, Push, Records } from "@canopy/store";
import type { GatewayLink } from "./link.ts";
import type { Match } from "./match.ts";

/** Collects what goes to each gateway, so that each gets one push for all of it. */
export class Pusher {
  #links: GatewayLink[] = [];

  /** In ascending order of index. */
  add(match: Match, index: number, offset: Offset): void {
    const { links } = match;
    for (let i = 0; i < links.length; i++) {
      const link = links[i] as GatewayLink;
      if (link.indexes.length === 0) this.#links.push(link);
      link.indexes.push(index);
      link.offsets.push(offset);
    }
  }

  /** `records` are the batch's, or a copy. */
  flush(batch: PublishBatch, epoch: number, records: Records): void {
    if (this.#links.length === 0) return;
    const links = this.#links;
    const { shard, gateway, seq } = batch;
    this.#links = [];
    // All are taken before the first is sent: a gateway may publish while it is being told.
    const pushes: Push[] = [];
    for (const link of links) {
      const { indexes, offsets } = link;
      const number = link.nextNumber();
      pushes.push({ number, shard, epoch, gateway, seq, records, indexes, offsets });
      link.indexes = [];
      link.offsets = [];
    }
    for (let i = 0; i < links.length; i++) (links[i] as GatewayLink).push(pushes[i] as Push);
  }
}
