import type { Gateway } from "../gateway.ts";
import type { ListenOptions } from "../options.ts";
import type { Listener } from "./listener.ts";
import { tcpListener } from "./tcp.ts";
import { wsListener } from "./ws.ts";

/** An address that can't be listened on; the message says which and why. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** All listeners of a gateway. */
export class Listeners {
  readonly #gateway: Gateway;
  readonly #options: readonly ListenOptions[];
  #running: Listener[] = [];
  /** The addresses that are listened on, with the ports that were got. */
  addresses: string[] = [];

  constructor(gateway: Gateway, options: readonly ListenOptions[]) {
    this.#gateway = gateway;
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const option of this.#options) {
      const listener = this.#make(option);
      let address: string;
      try {
        address = await listener.start();
      } catch (error) {
        await this.stop();
        throw new ListenError(explain(option, error), { cause: error });
      }
      this.#running.push(listener);
      this.addresses.push(address);
      this.#gateway.logger.info({ listener: address }, "listening");
    }
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map((listener) => listener.stop()));
  }

  #make({ scheme, host, port, path, reusePort = false }: ListenOptions): Listener {
    const gateway = this.#gateway;
    const place = { host, port, reusePort };
    const accept: Parameters<typeof tcpListener>[1] = (transport) => gateway.accept(transport);
    const onError = (error: Error): void => {
      gateway.logger.error({ error }, "a connection could not be accepted");
    };
    if (scheme === "tcp") return tcpListener(place, accept, onError);
    const { maxPacketSize } = gateway.settings;
    const { connectTimeout } = gateway.limits;
    return wsListener(place, path, { maxPacketSize, connectTimeout }, accept, onError);
  }
}

function explain(option: ListenOptions, error: unknown): string {
  const address = `${option.scheme}://${option.host}:${option.port}`;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "EADDRINUSE") {
    return `${address} is in use: stop what listens there, or choose another port (0 for a free one)`;
  }
  if (code === "EACCES") return `${address}: not allowed to listen there; choose a port above 1023`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `${address}: this machine has no such address`;
  }
  return `${address}: ${error instanceof Error ? error.message : String(error)}`;
}
