/** What the settings of a process of a cluster have to say together. */

import { isNodeName } from "./endpoint.ts";
import { ConfigError } from "./error.ts";
import { isLoopback } from "./listen.ts";
import type { Role } from "./roles.ts";
import type { Config } from "./schema.ts";

/** Throws a ConfigError; returns warnings. */
export function checkCluster(config: Config, role: Exclude<Role, "standalone">): string[] {
  checkName(config);
  checkNodes(config);
  checkTls(config, role);
  if (role === "session") checkFounders(config);
  return role === "gateway" ? [] : warnOpen(config);
}

function checkName({ node: { name } }: Config): void {
  if (isNodeName(name)) return;
  const problem = `the machine's name ${name} is no name of a node: set node.name`;
  throw new ConfigError(`node.name: ${problem}`, "node.name");
}

function checkNodes({ cluster: { nodes, discovery } }: Config): void {
  if (nodes === undefined && discovery === undefined) {
    const wanted = "NAME=HOST:PORT of each session node; or cluster.discovery";
    throw new ConfigError(`cluster.nodes: it is not set; allowed: ${wanted}`, "cluster.nodes");
  }
  if (nodes !== undefined && discovery !== undefined) {
    const problem = "cluster.nodes is set as well, and only one of them can say who the nodes are";
    throw new ConfigError(`cluster.discovery: ${problem}`, "cluster.discovery");
  }
  const names = nodes?.map(({ name }) => name) ?? [];
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return;
  throw new ConfigError(`cluster.nodes: two nodes are called ${twice}`, "cluster.nodes");
}

/** A session node has to know the first voters, all of them the same; it need not be one of them. */
function checkFounders({ cluster }: Config): void {
  const { nodes, size, lease, absence } = cluster;
  if (absence > lease) {
    const problem = `it is longer than cluster.lease, ${lease} ms`;
    throw new ConfigError(`cluster.absence: got ${absence}; ${problem}`, "cluster.absence");
  }
  if (nodes === undefined) {
    if (size !== undefined) return;
    const problem =
      "it is not set, and cluster.discovery does not say how many nodes there will be";
    throw new ConfigError(`cluster.size: ${problem}`, "cluster.size");
  }
  const names = nodes.map((one) => one.name);
  if (size === undefined || size === names.length) return;
  const problem = `got ${size}, but cluster.nodes names ${names.length}`;
  throw new ConfigError(`cluster.size: ${problem}`, "cluster.size");
}

function checkTls({ rpc: { tls } }: Config, role: Role): void {
  const { ca, cert, key, requireClientCert } = tls;
  const missing = (name: string, why: string): ConfigError => {
    return new ConfigError(`rpc.tls.${name}: it is not set, and ${why}`, `rpc.tls.${name}`);
  };
  if (cert !== undefined && key === undefined) throw missing("key", "rpc.tls.cert is");
  if (key !== undefined && cert === undefined) throw missing("cert", "rpc.tls.key is");
  if (requireClientCert && ca === undefined) throw missing("ca", "rpc.tls.requireClientCert is");
  const serves = role === "session" || role === "store";
  if (serves && ca !== undefined && cert === undefined) {
    throw missing("cert", "a process that serves others needs one beside rpc.tls.ca");
  }
}

/** Whoever reaches the port may do everything. */
function warnOpen({ rpc: { listen, tls } }: Config): string[] {
  if (listen.host === "" || isLoopback(listen) || tls.requireClientCert) return [];
  return [
    `rpc.listen: ${listen.text} can be reached from other machines, and whoever reaches it may do ` +
      "everything: keep it in a network of its own, or set rpc.tls.requireClientCert=true",
  ];
}
