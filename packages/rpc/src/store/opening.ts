/** The two streams of a link, from the first word to the end of either. */
import type { Logger, Timers } from "@canopy/base";
import type { TopicTable } from "@canopy/topic";
import type { RpcChannel } from "../channel.ts";
import { RpcError } from "../errors.ts";
import type { Shards as Service } from "../gen/canopy/store/v1/shards_pb.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { RemoteShards } from "./port.ts";

export interface OpeningOptions {
  readonly channel: RpcChannel;
  readonly store: number;
  readonly topics: TopicTable;
  readonly opening: Uint8Array;
  readonly shardWindow: number;
  readonly pushWindow: number;
  readonly deadline: number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Once: it was refused, or has broken. */
  readonly ended: (error: Error) => void;
}

type Part = "answers" | "pushed";

export class Opening {
  readonly #options: OpeningOptions;
  readonly #streams: RpcStream[] = [];
  #port: RemoteShards | undefined;
  #isClosed = false;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Undefined where it has ended meanwhile. */
  async open({ publish, pushes }: (typeof Service)["method"]): Promise<RemoteShards | undefined> {
    try {
      const [publishing, pushing] = await Promise.all([
        this.#stream(publish, "answers"),
        this.#stream(pushes, "pushed", this.#options.pushWindow),
      ]);
      if (this.#isClosed) return undefined;
      this.#port = new RemoteShards({ ...this.#options, publish: publishing, pushes: pushing });
      return this.#port;
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  /** Nobody is told. */
  close(error: Error): void {
    this.#isClosed = true;
    this.#port?.close();
    for (const stream of this.#streams) stream.close(error);
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.close(error);
    this.#options.ended(error);
  }

  async #stream(
    method: (typeof Service)["method"]["publish" | "pushes"],
    part: Part,
    window?: number,
  ): Promise<RpcStream> {
    const { channel, opening, deadline } = this.#options;
    const handler: StreamHandler = {
      window,
      onMessage: (message, number) => this.#handler(part).onMessage(message, number),
      onReady: () => this.#handler(part).onReady?.(),
      onClosed: (error) => {
        this.#fail(error ?? new RpcError("unavailable", "the other side has closed the link"));
      },
    };
    const stream = await channel.open(method, { opening, handler, deadline });
    this.#streams.push(stream);
    if (this.#isClosed) stream.close(new RpcError("unavailable", "the link has ended"));
    return stream;
  }

  /** Nothing is said before the gateway has registered. */
  #handler(part: Part): Omit<StreamHandler, "onClosed"> {
    const port = this.#port;
    if (port === undefined) throw new RpcError("internal", "nobody has registered yet");
    return port[part];
  }
}
