export { advertised } from "./advertised.ts";
export { Channels, once } from "./channels.ts";
export { foundersOf } from "./founders.ts";
export { type Life, Lives } from "./lives.ts";
export { Membership, type MembershipOptions } from "./membership.ts";
export { SessionNodes, type SessionNodesOptions } from "./session-nodes.ts";
export { RemoteStores, type RemoteStoresOptions } from "./store-nodes.ts";
export { readTls } from "./tls.ts";
export { sayWaiting } from "./waiting.ts";
