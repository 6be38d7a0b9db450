export { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
export type { ClusterProcess, ClusterRole, Ended } from "./cluster-process.ts";
export { freePorts } from "./ports.ts";
