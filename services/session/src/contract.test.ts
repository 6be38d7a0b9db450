import { type SessionsHarness, sessionsContract } from "@canopy/session/contract";
import { Harness, textOf, willRecord } from "../test/harness.ts";

sessionsContract("one voter, in process", async (): Promise<SessionsHarness> => {
  const h = await Harness.start();
  return {
    stores: h.stores,
    gateway: async (peer) => ({ sessions: h.sessions, incarnation: await h.attach(peer) }),
    end: async (gateway) => {
      h.control.down(gateway);
      h.control.gone(gateway);
    },
    pass: (ms) => h.time.advance(ms),
    record: willRecord,
    text: textOf,
    stop: () => h.stop(),
  };
});
