/**
 * A process with one session group, which does nothing but say what it was asked. Its only argument
 * is where it listens.
 */
import { silentLogger } from "@canopy/base";
import type { Sessions } from "@canopy/session";
import { RpcServer, SessionsService, sessionsHandlers } from "../../src/index.ts";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const notAsked = (): never => {
  throw new Error("nobody asks this");
};

const sessions: Sessions = {
  attach: async (gateway, peer) => {
    say(`attach ${gateway}`);
    peer.stop(gateway + 1, 1, "taken-over");
  },
  // It is never done.
  open: ({ clientId }) => {
    say(`open ${clientId}`);
    return new Promise(() => {});
  },
  progress: async (batch) => {
    for (const { incarnation } of batch) say(`progress ${incarnation}`);
  },
  deliveries: notAsked,
  withdraw: notAsked,
  release: notAsked,
  subscribe: notAsked,
  unsubscribe: notAsked,
  counts: notAsked,
};

const server = new RpcServer({ address: process.argv[2] as string, logger: silentLogger });
server.add(SessionsService, sessionsHandlers({ group: () => sessions, logger: silentLogger }));
await server.start();
say("listening");
