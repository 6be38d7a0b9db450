export { Broker, type BrokerOptions, type LogLine, startBroker } from "./broker.ts";
export { Child, type ChildOptions, type Exit } from "./child.ts";
export { FakeTime } from "./fake-time.ts";
export { freePort } from "./free-port.ts";
export { type Entry, Ledger, type LedgerReport } from "./ledger.ts";
export { linesUntilKilled } from "./lines-until-killed.ts";
export { matches } from "./matches.ts";
export {
  type Finished,
  hasMosquitto,
  MosquittoSub,
  type MosquittoSubOptions,
  mosquittoPub,
  mosquittoSub,
} from "./mosquitto.ts";
export { mqttJs } from "./mqtt-js.ts";
export {
  type Command,
  type Fields,
  type Packet,
  PacketClient,
  type PacketOf,
  type RawClientOptions,
} from "./packet-client.ts";
export {
  type ConnectFields,
  type PublishFields,
  RawClient,
  type SubscribeFields,
} from "./raw-client.ts";
export { Scope, testScope } from "./scope.ts";
export { SmallDisk } from "./small-disk.ts";
export { TcpProxy } from "./tcp-proxy.ts";
export { tempDir } from "./temp-dir.ts";
export type { Address, Transport } from "./transport.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
