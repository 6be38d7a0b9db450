/** `canopy admin cluster …`: what an operator asks of a running cluster, over gRPC. */
import { readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { silentLogger } from "@canopy/base";
import { type ClusterAdmin, ControlError, type NodeWish } from "@canopy/control";
import { clusterAdminOver, RpcChannel, RpcError, type RpcTls } from "@canopy/rpc";
import { groupsText, nodesText, shardsText } from "./text.ts";
import { settled } from "./waiting.ts";

export interface AdminIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Refused, or it could not be done. */
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** No session node answers, or none knows who leads: worth another try. */
const EXIT_UNAVAILABLE = 3;

const DEFAULT_ADDRESS = "127.0.0.1:7400";
/** How long --wait waits, ms. */
const PATIENCE = 120_000;

const usage = `Usage: canopy admin cluster [OPTIONS] COMMAND

  nodes                  session nodes, gateways and store processes
  groups                 groups of Raft, their leaders and replicas
  shards                 shards of messages, and who owns them
  add NODE               a session node that was removed may come again
  remove NODE            a session node leaves: others take over what it leads and keeps
  replace NODE           a session node lost its disk: it may come back with another
  drain NODE             a session node hands over what it leads, and leads nothing
  resume NODE            a session node that was drained may lead again
  transfer GROUP NODE    another node leads a group, until leaders are evened out again

      --address HOST:PORT  of any session node; also CANOPY_ADMIN_ADDRESS; ${DEFAULT_ADDRESS}
      --json               one JSON document, for scripts
      --wait               after add, remove, replace, drain and resume: until it is so in all groups
      --ca FILE            with TLS: who has signed the certificates of the nodes
      --cert FILE, --key FILE  with mTLS: this side's certificate and its key
  -h, --help               show this

Exit code: 0 done, 1 refused or failed, 2 not understood, 3 nobody could answer: try again.

Examples:
  canopy admin cluster nodes --address canopy-session-0:7400
  canopy admin cluster remove canopy-session-3 --wait
  canopy admin cluster groups --json | jq '.[] | select(.leader == "")'
`;

class UsageError extends Error {}

interface Options {
  readonly address: string;
  readonly json: boolean;
  readonly wait: boolean;
  readonly tls: RpcTls | undefined;
}

/** argv is what follows "admin". Resolves to the exit code. */
export async function adminCommand(argv: readonly string[], io: AdminIo): Promise<number> {
  try {
    return await run(argv, io);
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === undefined) throw error;
    io.stderr.write(`canopy admin: ${(error as Error).message}\n`);
    return code;
  }
}

async function run(argv: readonly string[], io: AdminIo): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const [part, command, ...args] = positionals;
  if (part !== "cluster") throw new UsageError(`expected cluster; see: canopy admin --help`);
  const options: Options = {
    address: values.address ?? io.env["CANOPY_ADMIN_ADDRESS"] ?? DEFAULT_ADDRESS,
    json: values.json === true,
    wait: values.wait === true,
    tls: tlsOf(values),
  };
  const action = actionOf(command ?? "", args, options);
  io.stdout.write(await asking(options.address, options, action));
  return 0;
}

async function asking<T>(
  address: string,
  { tls }: Options,
  ask: (admin: ClusterAdmin) => Promise<T>,
): Promise<T> {
  const channel = new RpcChannel({ address, logger: silentLogger, tls });
  await channel.start();
  try {
    return await ask(clusterAdminOver(channel));
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    throw new ControlError(
      "unavailable",
      `no session node answers at ${address}: is that its rpc.listen? ${error.message}`,
    );
  } finally {
    await channel.stop();
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      address: { type: "string" },
      json: { type: "boolean" },
      wait: { type: "boolean" },
      ca: { type: "string" },
      cert: { type: "string" },
      key: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
}

type Action = (admin: ClusterAdmin) => Promise<string>;

function actionOf(command: string, args: readonly string[], options: Options): Action {
  const [first, second] = args;
  switch (command) {
    case "nodes":
      expectArgs(command, args, 0);
      return async (admin) => printed(await admin.nodes(), nodesText, options);
    case "groups":
      expectArgs(command, args, 0);
      return async (admin) => printed(await admin.groups(), groupsText, options);
    case "shards":
      expectArgs(command, args, 0);
      return async (admin) => printed(await admin.shards(), shardsText, options);
    case "add":
    case "remove":
    case "replace":
    case "drain":
    case "resume":
      expectArgs(command, args, 1);
      return (admin) => wish(admin, { name: first ?? "", wish: command }, options);
    case "transfer":
      expectArgs(command, args, 2);
      return (admin) => transfer(admin, first ?? "", second ?? "", options);
    default:
      throw new UsageError(
        `${command === "" ? "no command" : `no command ${command}`}; see: canopy admin --help`,
      );
  }
}

function expectArgs(command: string, args: readonly string[], count: number): void {
  if (args.length === count) return;
  const wanted = ["nothing", "a node's name", "a group's number and a node's name"][count];
  throw new UsageError(`${command} takes ${wanted}; see: canopy admin --help`);
}

async function wish(admin: ClusterAdmin, wished: NodeWish, options: Options): Promise<string> {
  const others = options.wait ? await another(admin, wished.name, options) : undefined;
  const version = await admin.wish(wished);
  if (others !== undefined) {
    await asking(others, options, (whoStays) => settled(whoStays, wished, PATIENCE));
  }
  if (options.json) return json({ version });
  const { name } = wished;
  const more = options.wait ? "" : "; canopy admin cluster groups says how far it is";
  return `${name}: ${DONE[wished.wish]}${more}\n`;
}

/** Where to ask how far it is: the node that is concerned may end by it. */
async function another(admin: ClusterAdmin, name: string, options: Options): Promise<string> {
  const nodes = (await admin.nodes()).filter(({ role }) => role === "session");
  const isConcerned = nodes.some((node) => node.name === name && node.address === options.address);
  const other = nodes.find((node) => node.name !== name && node.answers);
  return isConcerned && other !== undefined ? other.address : options.address;
}

const DONE: Readonly<Record<NodeWish["wish"], string>> = {
  add: "it may come",
  remove: "it leaves",
  replace: "it may come back with another disk",
  drain: "it leads nothing from now on",
  resume: "it may lead again",
};

async function transfer(
  admin: ClusterAdmin,
  group: string,
  node: string,
  options: Options,
): Promise<string> {
  if (!/^\d+$/.test(group)) throw new UsageError(`${group} is no number of a group`);
  await admin.transfer(Number(group), node);
  return options.json
    ? json({ group: Number(group), leader: node })
    : `${node} leads group ${group}\n`;
}

function printed<T>(answer: T, text: (answer: T) => string, options: Options): string {
  return options.json ? json(answer) : text(answer);
}

function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function tlsOf({
  ca,
  cert,
  key,
}: {
  ca?: string;
  cert?: string;
  key?: string;
}): RpcTls | undefined {
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key belong together");
  }
  return { ca: read(ca), cert: read(cert), key: read(key), requireClientCert: false };
}

function read(path: string | undefined): Buffer | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} can't be read: ${(error as Error).message}`);
  }
}

/** Nothing at all has answered. */
function isUnreachable(error: unknown): error is ControlError {
  const cause = error instanceof ControlError ? error.cause : undefined;
  return cause instanceof RpcError && (cause.code === "unavailable" || cause.code === "deadline");
}

/** Undefined for what nobody expects. */
function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof UsageError) return EXIT_USAGE;
  if (error instanceof ControlError) {
    return error.code === "unavailable" ? EXIT_UNAVAILABLE : EXIT_FAILED;
  }
  const fromArguments =
    error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
  return fromArguments ? EXIT_USAGE : undefined;
}
