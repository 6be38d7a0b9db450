/**
 * One node as a process: storage, host, and a server with Raft and a service for clients. Its only
 * argument is a NodeParams in JSON.
 */
import { join } from "node:path";
import { systemClock, systemRandom, systemTimers } from "@canopy/base";
import {
  type Answer,
  createHost,
  type NodeName,
  openStorage,
  type RaftGroup,
  type ReadAnswer,
} from "@canopy/raft";
import { SessionError } from "@canopy/session";
import { stderrLogger as logger } from "../../../raft/bench/logger.ts";
import { GrpcTransport, Raft, RpcServer } from "../../src/index.ts";
import { Echo } from "../echo.ts";
import { RegistersMachine } from "./machine.ts";
import type { Request } from "./requests.ts";

export interface NodeParams {
  readonly node: NodeName;
  /** All nodes, this one included; where one is reached, by name. */
  readonly addresses: Readonly<Record<NodeName, string>>;
  readonly directory: string;
}

const { node, addresses, directory } = JSON.parse(process.argv[2] as string) as NodeParams;
const machine = new RegistersMachine();
/** Empty until the group is open. */
const running: { group?: RaftGroup } = {};

async function answer(request: Request): Promise<unknown> {
  const { group } = running;
  if (group === undefined) throw new SessionError("unavailable", "the group is not open yet");
  switch (request.kind) {
    case "status":
      return { role: group.status.role, term: group.status.term };
    case "dump":
      return machine.state;
    case "read":
      need(await group.read());
      return machine.state.registers[request.key] ?? 0;
    case "list":
      need(await group.read());
      return machine.state.lists[request.key] ?? [];
    case "propose": {
      const command = Buffer.from(JSON.stringify(request.command));
      const proposed = need(await group.propose(command, request.origin));
      return proposed.type === "committed" ? proposed.result : undefined;
    }
  }
}

type Good = Extract<Answer | ReadAnswer, { type: "committed" | "repeated" | "ready" }>;

function need(got: Answer | ReadAnswer): Good {
  switch (got.type) {
    case "notLeader":
      throw new SessionError("not-leader", "another leads", { leader: got.node });
    case "gap":
      throw new SessionError("stale", `after ${got.last}`);
    case "overloaded":
    case "indeterminate":
    case "unavailable":
      throw new SessionError(got.type, got.type);
    default:
      return got;
  }
}

const storage = openStorage({ directory: join(directory, node), logger });
await storage.start();
const transport = new GrpcTransport({ node, resolve: (name) => addresses[name], logger });
const host = createHost({
  node,
  storage,
  transport,
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  logger,
  defer: setImmediate,
  tick: 40,
  electionTicks: 10,
  heartbeatTicks: 2,
  maxProposals: 1_000,
  maxProposalBytes: 1 << 20,
  snapshotEvery: 40_000,
  keepTail: 10_000,
});
await host.start();
const server = new RpcServer({ address: addresses[node] as string, logger });
server.add(Raft, transport.handlers);
server.add(Echo, {
  say: async ({ text }) => ({ text: JSON.stringify(await answer(JSON.parse(text) as Request)) }),
  talk: () => Promise.reject(new Error("not here")),
});
await server.start();
const voters = new Map(Object.keys(addresses).map((name, index) => [index + 1, name]));
const replica = Object.keys(addresses).indexOf(node) + 1;
running.group = await host.open({ group: 1, machine, bootstrap: { replica, voters } });
