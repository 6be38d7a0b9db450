/**
 * Every setting, once: from here come the types, the validation, the defaults and the
 * documentation. A section is a group of keys and nothing more.
 */
import { z } from "zod";
import {
  choice,
  choicesByName,
  count,
  duration,
  endpoint,
  folder,
  level,
  listenAddresses,
  optionalCount,
  optionalFile,
  optionalName,
  optionalNodes,
  optionalSeconds,
  optionalTarget,
  optionalToggle,
  seconds,
  size,
  toggle,
} from "./kinds.ts";

const sharedStrategies = [
  "least-inflight",
  "round-robin",
  "random",
  "sticky",
  "hash-publisher",
  "hash-topic",
] as const;

const auth = z.object({
  anonymous: optionalToggle({
    description:
      "Whether clients may connect without a user name. If it is not set: only as long as there is " +
      "no password file, and every listener is one that only this machine can reach.",
  }),
  passwordFile: optionalFile({
    description:
      "A file with a line `user:credential` for each user: an argon2id hash for passwords, or a " +
      "SCRAM-SHA-256 credential for enhanced authentication.",
  }),
});

/** What the protocol lets a client ask for. */
const protocolLimits = {
  maxPacketSize: size({
    default: 2 ** 20,
    min: 1024,
    max: 268_435_460,
    description: "The largest packet that is accepted; v5 clients are told so.",
  }),
  maxTopicLength: size({
    default: 65_535,
    min: 1,
    max: 65_535,
    description: "The longest topic name and topic filter, in bytes of UTF-8.",
  }),
  maxTopicLevels: count("levels", {
    default: 128,
    min: 1,
    max: 65_535,
    description: "The most levels in a topic name and a topic filter.",
  }),
  maxClientIdLength: size({
    default: 1024,
    min: 23,
    max: 65_535,
    description: "The longest client identifier, in bytes of UTF-8.",
  }),
  maxQos: level([0, 1, 2], {
    default: 2,
    description: "The highest QoS of a PUBLISH that is accepted and of a subscription granted.",
  }),
  receiveMaximum: count("messages", {
    default: 1024,
    min: 1,
    max: 65_535,
    description:
      "How many QoS 1 and 2 messages a client may have unanswered. v5 clients are told so; for v3 " +
      "clients the same bound holds.",
  }),
  topicAliasMaximum: count("aliases", {
    default: 32,
    max: 65_535,
    description: "How many topic aliases a client may use towards the broker. 0: none.",
  }),
  topicAliasMaximumOutbound: count("aliases", {
    default: 32,
    max: 65_535,
    description:
      "How many topic aliases the broker uses towards a client, if the client allows as many. 0: none.",
  }),
  serverKeepAlive: optionalSeconds({
    max: 65_535,
    description: "Told to every v5 client instead of the keep alive that it asked for.",
  }),
  maxKeepAlive: optionalSeconds({
    min: 1,
    max: 65_535,
    description:
      "The longest keep alive; a v5 client that asks for more, or for none, is told this one.",
  }),
  maxSessionExpiry: seconds({
    default: 4_294_967_295,
    max: 4_294_967_295,
    description:
      "The longest session expiry interval, also for v3 sessions that are not clean. 4294967295: " +
      "sessions may be kept for ever.",
  }),
  maxSubscriptionsPerSession: count("subscriptions", {
    default: 10_000,
    min: 1,
    description: "How many subscriptions one session may have.",
  }),
};

/** What the broker holds in memory and on disk. */
const resourceLimits = {
  maxConnections: count("connections", {
    default: 0,
    description: "How many clients may be connected. 0: as many as the system allows.",
  }),
  connectTimeout: duration({
    default: 10_000,
    min: 1,
    description: "How long a new connection may take until its CONNECT is complete.",
  }),
  maxInflight: count("messages", {
    default: 1024,
    min: 1,
    max: 65_535,
    description:
      "How many QoS 1 and 2 messages are sent to a client before it has to acknowledge one. A " +
      "client's own receive maximum counts if it is lower.",
  }),
  maxQueuedMessages: count("messages", {
    default: 1_000_000,
    min: 1,
    description: "How many messages a durable queue keeps; then the oldest are dropped.",
  }),
  maxQueuedBytes: size({
    default: 2 ** 30,
    min: 1,
    description: "How large a durable queue grows; then the oldest messages are dropped.",
  }),
  maxQueuedAge: duration({
    default: 0,
    description:
      "How long a durable queue keeps a message; looked at once a minute at least. 0: no limit.",
  }),
  maxRetainedMessages: count("messages", {
    default: 1_000_000,
    description:
      "How many topics may have a retained message; one more is sent on, but not kept. 0: no limit.",
  }),
  transientQueueMessages: count("messages", {
    default: 10_000,
    min: 1,
    description: "How many messages wait in memory for one client without a durable session.",
  }),
  transientQueueBytes: size({
    default: 8 * 2 ** 20,
    min: 1,
    description: "How many bytes wait in memory for one client without a durable session.",
  }),
  transientOverflow: choice(["disconnect", "drop"], {
    default: "disconnect",
    description:
      "What happens to a client without a durable session that lets QoS 1 and 2 messages pile up " +
      "beyond these bounds: it is disconnected, or the messages are dropped. QoS 0 is dropped first.",
  }),
  connectionOutputBytes: size({
    default: 16 * 2 ** 20,
    min: 1024,
    description: "How many bytes may wait to be written to one connection.",
  }),
  gatewayOutputBytes: size({
    default: 2 ** 30,
    min: 2 ** 20,
    description: "How many bytes may wait to be written to all connections together.",
  }),
};

const features = z.object({
  retainAvailable: toggle({
    default: true,
    description: "Whether messages may be retained.",
  }),
  wildcardSubscriptionAvailable: toggle({
    default: true,
    description: "Whether topic filters may have wildcards.",
  }),
  sharedSubscriptionAvailable: toggle({
    default: true,
    description: "Whether there are shared subscriptions.",
  }),
  subscriptionIdentifiersAvailable: toggle({
    default: true,
    description: "Whether subscriptions may have identifiers.",
  }),
});

const store = z.object({
  backend: choice(["leveldb"], { default: "leveldb", description: "Where messages are kept." }),
  shards: optionalCount("shards", {
    min: 1,
    max: 1024,
    description:
      "Into how many shards topics are divided. Fixed once there is data. If it is not set: 4, in a " +
      "cluster 16.",
  }),
  durability: choice(["sync", "os"], {
    default: "sync",
    description:
      "When a message counts as stored: `sync` when the disk has it, `os` when the operating " +
      "system has it, so that a loss of power can lose the latest acknowledged messages.",
  }),
  waitTimeout: duration({
    default: 5_000,
    min: 1,
    description: "How long a PUBLISH waits for its shard before the client gets an error.",
  }),
  segmentBytes: size({
    default: 16 * 2 ** 20,
    min: 4096,
    description: "The size at which a segment of a shard's log is sealed.",
  }),
  cacheBytes: size({
    default: 64 * 2 ** 20,
    min: 65_536,
    description: "Memory for reading stored messages again, for all shards together.",
  }),
});

const session = z.object({
  groups: count("groups", {
    default: 4,
    min: 1,
    max: 256,
    description:
      "Into how many groups of Raft sessions are divided. Fixed when the cluster is created.",
  }),
  progressInterval: duration({
    default: 200,
    min: 1,
    description:
      "How often the progress of readers is recorded. A crash repeats at most that much at QoS 1.",
  }),
  snapshotEvery: size({
    default: 64 * 2 ** 20,
    min: 4096,
    description:
      "How far the log of the sessions grows before a snapshot replaces it: so far, or by the size of the " +
      "last snapshot if that is more.",
  }),
});

const node = z.object({
  name: optionalName({
    description:
      "What this process is called, the same at every start. Each gateway, session node and store " +
      "process of a cluster has its own. If it is not set: the name of the machine.",
  }),
});

const rpc = z.object({
  listen: endpoint({
    default: "127.0.0.1:7400",
    description: "Where this process serves the others of the cluster. Port 0: any that is free.",
  }),
  advertise: optionalTarget({
    description:
      "Where the others reach it. If it is not set: what `cluster.nodes` says of it, else `rpc.listen`, " +
      "with the name of the machine instead of an address that stands for all.",
  }),
  tls: z.object({
    ca: optionalFile({
      description:
        "Who signs the certificates of the others (PEM). With any of these settings all that the " +
        "processes of the cluster say to each other is encrypted.",
    }),
    cert: optionalFile({ description: "The certificate of this process, with its chain (PEM)." }),
    key: optionalFile({ description: "The certificate's key (PEM)." }),
    requireClientCert: toggle({
      default: false,
      description:
        "Only who shows a certificate that `rpc.tls.ca` has signed may call this process.",
    }),
  }),
});

const cluster = z.object({
  nodes: optionalNodes({
    description:
      "The session nodes. Those that create a cluster are its first voters, and have to be given " +
      "the same list; later it only says where to begin to look. A session node that is not named joins them.",
  }),
  discovery: optionalTarget({
    description:
      "Instead of `cluster.nodes`: a name of DNS whose SRV records are the session nodes, or whose " +
      "addresses have names by reverse lookup, and their port; as of a headless service of Kubernetes.",
  }),
  size: optionalCount("nodes", {
    min: 1,
    max: 9,
    description:
      "How many session nodes create the cluster; with `cluster.discovery` it is waited for so many, or, " +
      "where names are counted (node-0, node-1, …), for the first of them. Others join later.",
  }),
  stores: count("processes", {
    default: 1,
    min: 1,
    max: 1024,
    description:
      "Of a new cluster: for how many store processes it is waited before shards are given to them; " +
      "for 10 s after the first. A shard on a disk stays there.",
  }),
  lease: duration({
    default: 3_000,
    min: 500,
    max: 60_000,
    description:
      "How long a gateway or store process that says nothing any more counts as alive. The same on " +
      "all session nodes.",
  }),
  absence: duration({
    default: 500,
    min: 100,
    max: 60_000,
    description: "The same of a gateway whose connection is gone; at most `cluster.lease`.",
  }),
});

const shared = z.object({
  strategy: choice(sharedStrategies, {
    default: "least-inflight",
    description: "Which member of a shared subscription gets a message.",
  }),
  strategies: choicesByName(sharedStrategies, {
    description: "The strategy of single groups, by the name of the group.",
  }),
});

const sys = z.object({
  interval: duration({
    default: 10_000,
    description: "How often the $SYS topics are published. 0: never.",
  }),
});

const log = z.object({
  level: choice(["trace", "debug", "info", "warn", "error", "silent"], {
    default: "info",
    description: "The least important messages that are logged.",
  }),
  format: choice(["auto", "json", "pretty"], {
    default: "auto",
    description: "How they are written; `auto` is pretty on a terminal and JSON otherwise.",
  }),
});

const shutdown = z.object({
  timeout: duration({
    default: 10_000,
    description: "How long the broker may take to stop in order before it just ends.",
  }),
});

export const schema = z.object({
  listen: listenAddresses({
    default: ["tcp://127.0.0.1:1883", "ws://127.0.0.1:8083/mqtt"],
    description:
      "Where clients connect. Port 0 lets the system choose; a ws address without a path gets /mqtt.",
  }),
  reusePort: toggle({
    default: false,
    description:
      "Whether other gateways on this machine may listen at the same addresses: the system gives each " +
      "connection to one of them.",
  }),
  workers: count("processes", {
    default: 1,
    min: 1,
    max: 64,
    description:
      "How many processes share the connections. 1: everything is one process; more: so many gateways, " +
      "and a session node and a store process beside them.",
  }),
  data: folder({ default: "./data", description: "The folder for everything that is kept." }),
  node,
  rpc,
  cluster,
  auth,
  limits: z.object({ ...protocolLimits, ...resourceLimits }),
  features,
  store,
  session,
  shared,
  sys,
  log,
  shutdown,
});

type DeepReadonly<T> =
  T extends ReadonlyMap<unknown, unknown>
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Item[]
      : T extends object
        ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
        : T;

/** As the schema gives them, before what depends on other settings is known. */
export type Settings = z.output<typeof schema>;

/**
 * All settings, checked and complete; those that the process does not use are at their defaults.
 * Durations are in ms, sizes in bytes, unless they say so.
 */
export type Config = DeepReadonly<
  Omit<Settings, "auth" | "node" | "store"> & {
    auth: Settings["auth"] & { anonymous: boolean };
    node: { name: string };
    store: Settings["store"] & { shards: number };
  }
>;

export type SharedStrategy = (typeof sharedStrategies)[number];
