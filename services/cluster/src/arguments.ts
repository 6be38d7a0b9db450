/** What the command line asks for. */
import { parseArgs } from "node:util";

export interface Arguments {
  readonly gateways: number;
  readonly sessions: number;
  readonly stores: number;
  readonly backend: "leveldb";
  readonly json: string | undefined;
  readonly folder: string | undefined;
  readonly restart: boolean;
  readonly help: boolean;
}

/** The message says what is wrong, in one line. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

export const help = `A Canopy cluster on this machine, as processes of their own.

  --gateways N     gateways, which clients connect to; 2
  --session N      session nodes, 1 to 9, an odd number of them; 3
  --store N        store processes; 2
  --backend NAME   where messages are kept: leveldb
  --data DIR       keep everything in this folder; without it in a temporary one, removed at the end
  --json FILE      write names, pids, addresses and data folders of all processes into this file
  --restart        start a process again that has died
  --help           show this text
`;

const MOST = 64;
/** Voters of a group of Raft. */
const MOST_SESSIONS = 9;

const options = {
  gateways: { type: "string", default: "2" },
  session: { type: "string", default: "3" },
  store: { type: "string", default: "2" },
  backend: { type: "string", default: "leveldb" },
  data: { type: "string" },
  json: { type: "string" },
  restart: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export function readArguments(argv: readonly string[]): Arguments {
  const values = parse(argv);
  if (values.backend !== "leveldb") {
    throw new ArgumentError(`--backend: got ${values.backend}; allowed: leveldb`);
  }
  return {
    gateways: count("--gateways", values.gateways, MOST),
    sessions: count("--session", values.session, MOST_SESSIONS),
    stores: count("--store", values.store, MOST),
    backend: values.backend,
    json: path("--json", values.json),
    folder: path("--data", values.data),
    restart: values.restart,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  // pnpm hands on the "--" that separates its own flags from ours
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [what = ""] = (error as Error).message.split(/[.\n]/);
    const known = Object.keys(options).map((name) => `--${name}`);
    throw new ArgumentError(`${what}; there are ${known.join(", ")}`);
  }
}

function count(flag: string, text: string, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
  throw new ArgumentError(`${flag}: got ${text}; allowed: 1 to ${most}`);
}

function path(flag: string, text: string | undefined): string | undefined {
  if (text === "") throw new ArgumentError(`${flag} needs a path`);
  return text;
}
