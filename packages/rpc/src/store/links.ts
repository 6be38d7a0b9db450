/** All links of gateways to this store process. */
import { StoreError } from "@canopy/store";
import { decodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import { type LinkOpening, LinkOpeningSchema } from "../gen/canopy/store/v1/shards_pb.ts";
import { required } from "../numbers.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import type { ShardsServerOptions } from "./server.ts";
import { ServerLink } from "./server-link.ts";

interface Numbered {
  readonly number: bigint;
  readonly link: ServerLink;
}

export class Links {
  readonly #options: ShardsServerOptions;
  /** By caller: the last. */
  readonly #links = new Map<bigint, Numbered>();
  /** By gateway: over which it is registered. */
  readonly #registered = new Map<number, ServerLink>();
  /** Messages of QoS 0 that were dropped on their way to slow gateways. */
  dropped = 0;

  constructor(options: ShardsServerOptions) {
    this.#options = options;
  }

  openPublish(bytes: Buffer, stream: RpcStream): StreamHandler {
    const opening = decodeMessage(LinkOpeningSchema, bytes);
    return this.#linkOf(opening).openPublish(stream, Number(opening.shardWindow));
  }

  openPushes(bytes: Buffer, stream: RpcStream): StreamHandler {
    return this.#linkOf(decodeMessage(LinkOpeningSchema, bytes)).openPushes(stream);
  }

  /** The one that the other stream has opened, or a new one. */
  #linkOf(opening: LinkOpening): ServerLink {
    const shards = requireHere(this.#options, opening.store);
    const { id, stream: number } = required(opening.caller, "caller");
    const before = this.#links.get(id);
    if (before?.number === number) return before.link;
    if (before !== undefined && before.number > number) {
      throw new RpcError("unavailable", "a later link of this gateway is here already");
    }
    before?.link.end(new RpcError("unavailable", "a later link of this gateway has come"));
    const { topics, logger } = this.#options;
    const link = new ServerLink({
      shards,
      topics: topics(),
      logger,
      dropped: (messages) => {
        this.dropped += messages;
      },
      registered: (gateway, by) => this.#register(gateway, by),
      unregistered: (gateway, by) => this.#unregister(gateway, by),
      ended: () => {
        if (this.#links.get(id)?.link === link) this.#links.delete(id);
      },
    });
    this.#links.set(id, { number, link });
    return link;
  }

  #register(gateway: number, link: ServerLink): void {
    const before = this.#registered.get(gateway);
    this.#registered.set(gateway, link);
    if (before === undefined || before === link) return;
    before.end(new RpcError("unavailable", "the gateway has registered over another link"));
  }

  #unregister(gateway: number, link: ServerLink): boolean {
    if (this.#registered.get(gateway) !== link) return false;
    return this.#registered.delete(gateway);
  }
}

type Here = Pick<ShardsServerOptions, "shards" | "incarnation">;

/** @throws StoreError where another life of the process is meant, or it takes nothing now. */
export function requireHere(options: Here, store: bigint): ReturnType<Here["shards"]> & object {
  const incarnation = options.incarnation();
  const shards = options.shards();
  if (BigInt(incarnation) !== store || shards === undefined) {
    throw new StoreError("unavailable", `store ${store} is not here: this is ${incarnation}`);
  }
  return shards;
}
