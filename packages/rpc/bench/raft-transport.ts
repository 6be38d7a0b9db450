/** The transport over gRPC, for a node of Raft's benchmark. */
import type { NodeName, Transport, TransportHandler } from "@canopy/raft";
import { stderrLogger as logger } from "../../raft/bench/logger.ts";
import type { MakeTransport } from "../../raft/bench/node.ts";
import { GrpcTransport, Raft, RpcServer } from "../src/index.ts";

/** With its server: one on the loopback interface, at a free port. */
class Served implements Transport {
  readonly #transport: GrpcTransport;
  readonly #server = new RpcServer({ address: "127.0.0.1:0", logger });
  readonly send: Transport["send"];
  readonly openSnapshot: Transport["openSnapshot"];

  constructor(node: NodeName, peers: ReadonlyMap<NodeName, number>) {
    const resolve = (name: NodeName): string | undefined => {
      const port = peers.get(name);
      return port === undefined ? undefined : `127.0.0.1:${port}`;
    };
    const transport = new GrpcTransport({ node, resolve, logger });
    this.#transport = transport;
    this.#server.add(Raft, transport.handlers);
    this.send = (to, batch) => transport.send(to, batch);
    this.openSnapshot = (to, disk, offer) => transport.openSnapshot(to, disk, offer);
  }

  get port(): number {
    return Number(this.#server.address.split(":")[1]);
  }

  async start(handler: TransportHandler): Promise<void> {
    await this.#transport.start(handler);
    await this.#server.start();
  }

  async stop(): Promise<void> {
    await this.#transport.stop();
    await this.#server.stop();
  }
}

export const makeTransport: MakeTransport = (node, peers) => new Served(node, peers);
