/** The shards of this store process, for gateways. */
import type { Logger } from "@canopy/base";
import type { Shards } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { Shards as Service } from "../gen/canopy/store/v1/shards_pb.ts";
import type { Handlers } from "../handlers.ts";
import {
  fromRead,
  fromRetained,
  toCounts,
  toReadResults,
  toReceipts,
  toRetainedPage,
} from "./calls.ts";
import { Links, requireHere } from "./links.ts";

export interface ShardsServerOptions {
  /** Undefined: not now. */
  readonly shards: () => Shards | undefined;
  /** The life of this process: who means another one is refused. */
  readonly incarnation: () => number;
  /** That of the service. */
  readonly topics: () => TopicTable;
  readonly logger: Logger;
}

export function shardsHandlers(options: ShardsServerOptions): Handlers<typeof Service> {
  const links = new Links(options);
  const here = ({ store }: { readonly store: bigint }): Shards => requireHere(options, store);
  return {
    publish: (opening, stream) => links.openPublish(opening, stream),
    pushes: (opening, stream) => links.openPushes(opening, stream),
    read: async (request) => {
      return { results: toReadResults(await here(request).read(fromRead(request))) };
    },
    retained: async (request) => {
      return toRetainedPage(await here(request).retained(fromRetained(request)));
    },
    retainedAt: async (request) => {
      const { shard, topic, offset } = request;
      const record = await here(request).retainedAt(shard, topic, Number(offset));
      return { record: record as Uint8Array<ArrayBuffer> | undefined };
    },
    receipts: async (request) => {
      const { session, all, shards } = request;
      const asked = all ? undefined : shards;
      return { receipts: toReceipts(await here(request).receipts(Number(session), asked)) };
    },
    counts: async (request) => toCounts(here(request).counts(), links.dropped),
  };
}
