/** The transport of the benchmark keeps the contract, too. */
import { freePort, testScope, waitFor } from "@canopy/testkit";
import { TcpTransport } from "../bench/tcp-transport.ts";
import { transportContract } from "../src/transport/contract.ts";

transportContract("TCP", () => {
  const scope = testScope();
  const ports = new Map<string, number>();
  return {
    node: async (name, handler) => {
      // Until the other node is there nobody listens at its port.
      if (!ports.has("b")) ports.set("b", await freePort());
      const transport = new TcpTransport(name, ports);
      await transport.start(handler);
      ports.set(name, transport.port);
      let ended: Promise<void> | undefined;
      const end = (): Promise<void> => (ended ??= transport.stop());
      scope.defer(() => end());
      return { transport, end };
    },
    waitFor,
  };
});
