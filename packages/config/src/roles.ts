/** Which kind of process a setting is for. */

export const roles = ["standalone", "gateway", "session", "store"] as const;
export type Role = (typeof roles)[number];

/** What each is called in a sentence. */
export const roleNames: Readonly<Record<Role, string>> = {
  standalone: "the standalone broker",
  gateway: "a gateway",
  session: "a session node",
  store: "a store process",
};

/** By key, or by the sections that it is in: the longest that fits counts. */
const rolesOf: Readonly<Record<string, readonly Role[]>> = {
  listen: ["standalone", "gateway"],
  reusePort: ["gateway"],
  workers: ["standalone"],
  data: ["standalone", "session", "store"],
  node: ["gateway", "session", "store"],
  rpc: ["session", "store"],
  "rpc.tls": ["gateway", "session", "store"],
  "rpc.tls.requireClientCert": ["session", "store"],
  cluster: ["session"],
  "cluster.nodes": ["gateway", "session", "store"],
  "cluster.discovery": ["gateway", "session", "store"],
  auth: ["standalone", "gateway"],
  limits: ["standalone", "gateway"],
  "limits.maxQueuedMessages": ["standalone", "store"],
  "limits.maxQueuedBytes": ["standalone", "store"],
  "limits.maxQueuedAge": ["standalone", "store"],
  "limits.maxRetainedMessages": ["standalone", "store"],
  features: ["standalone", "gateway"],
  store: ["standalone", "store"],
  "store.shards": ["standalone", "session"],
  "store.durability": ["standalone", "session", "store"],
  "store.waitTimeout": ["standalone", "gateway", "store"],
  "session.groups": ["session"],
  "session.progressInterval": ["standalone", "gateway"],
  "session.snapshotEvery": ["standalone", "session"],
  shared: ["standalone", "store"],
  sys: ["standalone", "gateway"],
  log: roles,
  shutdown: roles,
};

/** Which processes use this setting. */
export function rolesFor(key: string): readonly Role[] {
  for (let name = key; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const found = rolesOf[name];
    if (found !== undefined) return found;
  }
  throw new Error(`nobody is said to use the setting ${key}`);
}
