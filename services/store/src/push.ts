import type { Offset, PublishBatch, Push, Records } from "@canopy/store";
import type { GatewayLink } from "./link.ts";
import type { Match } from "./match.ts";

/** Collects what goes to each gateway, so that each gets one push for all of it. */
export class Pusher {
  #links: GatewayLink[] = [];

  /** In ascending order of index. */
  add(match: Match, index: number, qos: number, offset: Offset): void {
    const { links, awaited } = match;
    for (let i = 0; i < links.length; i++) {
      const link = (links[i] as GatewayLink).present;
      if (link.indexes.length === 0) this.#links.push(link);
      else if (link.indexes.at(-1) === index) continue;
      link.indexes.push(index);
      link.offsets.push(offset);
    }
    if (qos === 0) return;
    for (let i = 0; i < awaited.length; i++) (awaited[i] as GatewayLink).present.isAwaited = true;
  }

  /** To one gateway alone. */
  addTo(link: GatewayLink, index: number, offset: Offset): void {
    if (link.indexes.length === 0) this.#links.push(link);
    link.indexes.push(index);
    link.offsets.push(offset);
  }

  /**
   * `records` are the batch's, or a copy. Returns the gateways that have to acknowledge and have not
   * done so within the call.
   */
  flush(batch: PublishBatch, epoch: number, records: Records): GatewayLink[] | undefined {
    const links = this.#links;
    if (links.length === 0) return undefined;
    this.#links = [];
    if (links.length > 1) return sendAll(links, batch, epoch, records);
    const link = links[0] as GatewayLink;
    const { isAwaited } = link;
    link.push(take(link, batch, epoch, records));
    return isAwaited && link.isBehind ? links : undefined;
  }
}

function sendAll(
  links: readonly GatewayLink[],
  batch: PublishBatch,
  epoch: number,
  records: Records,
): GatewayLink[] | undefined {
  // All are taken before the first is sent: a gateway may publish while it is being told.
  const awaited = links.filter(({ isAwaited }) => isAwaited);
  const pushes = links.map((link) => take(link, batch, epoch, records));
  for (let i = 0; i < links.length; i++) (links[i] as GatewayLink).push(pushes[i] as Push);
  const behind = awaited.filter(({ isBehind }) => isBehind);
  return behind.length === 0 ? undefined : behind;
}

function take(link: GatewayLink, batch: PublishBatch, epoch: number, records: Records): Push {
  const { shard, gateway, seq } = batch;
  const { indexes, offsets } = link;
  link.indexes = [];
  link.offsets = [];
  link.isAwaited = false;
  return { number: link.nextNumber(), shard, epoch, gateway, seq, records, indexes, offsets };
}
