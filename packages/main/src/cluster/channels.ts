import type { Lifecycle, Logger } from "@canopy/base";
import { RpcChannel, type RpcTls } from "@canopy/rpc";

/** ms: who was restarted is found soon, as others wait for it. */
const BACKOFF = { first: 50, longest: 500 };

interface Options {
  /** Where it is now; asked at each attempt to connect. */
  readonly address: (key: string) => string | undefined;
  readonly tls: RpcTls | undefined;
  readonly logger: Logger;
}

/** One connection to each of others that have a key, made when it is first asked for. */
export class Channels implements Lifecycle {
  readonly #options: Options;
  readonly #channels = new Map<string, RpcChannel>();
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  get(key: string): RpcChannel {
    let channel = this.#channels.get(key);
    if (channel !== undefined) return channel;
    const { address, tls, logger } = this.#options;
    channel = new RpcChannel({ address: () => address(key), tls, logger, backoff: BACKOFF });
    if (this.#stopped) return channel;
    this.#channels.set(key, channel);
    void channel.start();
    return channel;
  }

  /** It is no more. */
  drop(key: string): void {
    const channel = this.#channels.get(key);
    this.#channels.delete(key);
    void channel?.stop();
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    await Promise.all(channels.map((channel) => channel.stop()));
  }
}

/** What is made once for each key. */
export function once<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}
