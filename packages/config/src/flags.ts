import { parseArgs } from "node:util";
import { ConfigError } from "./error.ts";
import { suggestion } from "./nearest.ts";
import type { Role } from "./roles.ts";
import { findSetting, settings } from "./settings.ts";
import { type GivenValues, give } from "./source.ts";

interface Flag {
  readonly name: string;
  /** What follows it, or undefined for a flag without a value. */
  readonly value: string | undefined;
  readonly description: string;
}

export const flags: readonly Flag[] = [
  {
    name: "listen",
    value: "ADDRESS",
    description: "Listen there: tcp://HOST:PORT or ws://HOST:PORT/PATH. May be repeated.",
  },
  { name: "data", value: "DIR", description: "Keep everything in this folder." },
  {
    name: "workers",
    value: "N",
    description: "Share the connections among so many processes.",
  },
  { name: "set", value: "KEY=VALUE", description: "Set any setting. May be repeated." },
  { name: "config", value: "FILE", description: "Read settings from this YAML file." },
  { name: "help", value: undefined, description: "Show this text." },
  { name: "version", value: undefined, description: "Show the version." },
];

interface UsedFlag {
  readonly name: string;
  readonly value: string;
}

function unknownFlag(rawName: string, name: string): ConfigError {
  const known = flags.map((flag) => `--${flag.name}`);
  const isSetting = findSetting(name) !== undefined;
  const hint = isSetting ? `; did you mean --set ${name}=…?` : suggestion(rawName, known);
  return new ConfigError(`unknown flag ${rawName}${hint}`);
}

/** Each flag with its value, in order. */
function readFlags(argv: readonly string[]): UsedFlag[] {
  // pnpm hands on the "--" that separates its own flags from ours.
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  const options = Object.fromEntries(
    flags.map(({ name, value }) => {
      const type = value === undefined ? ("boolean" as const) : ("string" as const);
      return [name, { type }];
    }),
  );
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const used: UsedFlag[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") throw new ConfigError(`unexpected argument ${token.value}`);
    const flag = flags.find(({ name }) => name === token.name);
    if (flag === undefined) throw unknownFlag(token.rawName, token.name);
    if (flag.value !== undefined && !token.value) {
      throw new ConfigError(`--${flag.name} needs a value: --${flag.name} ${flag.value}`);
    }
    used.push({ name: flag.name, value: token.value ?? "" });
  }
  return used;
}

/** The file that --config names, if it is there; the last one counts. */
export function configFile(argv: readonly string[]): string | undefined {
  return readFlags(argv).findLast(({ name }) => name === "config")?.value;
}

/** Notes what the flags set; a later flag replaces an earlier one, but listeners add up. */
export function giveFlags(values: GivenValues, argv: readonly string[]): void {
  const addresses: string[] = [];
  for (const { name, value } of readFlags(argv)) {
    if (name === "listen") {
      addresses.push(value);
      give(values, "listen", { raw: [...addresses], origin: "--listen" });
    } else if (name === "data") {
      give(values, "data", { raw: value, origin: "--data" });
    } else if (name === "workers") {
      give(values, "workers", { raw: value, origin: "--workers" });
    } else if (name === "set") {
      const at = value.indexOf("=");
      if (at < 1) throw new ConfigError(`--set needs KEY=VALUE, got ${value}`);
      give(values, value.slice(0, at), { raw: value.slice(at + 1), origin: "--set" });
    }
  }
}

/** What the command line asks for. Everything else about it is judged by loadConfig. */
export function requestedAction(argv: readonly string[]): "run" | "help" | "version" {
  if (argv.includes("--help") || argv.includes("-h")) return "help";
  return argv.includes("--version") ? "version" : "run";
}

const titles: Readonly<Record<Role, string>> = {
  standalone: "Canopy, an MQTT broker.",
  gateway: "A gateway of Canopy: MQTT clients connect to it.",
  session:
    "A session node of Canopy: a voter of the groups that keep sessions and the cluster's plan.",
  store: "A store process of Canopy: it keeps messages.",
};

/** The text for --help. */
export function helpText(role: Role = "standalone"): string {
  const used = settings.filter(({ roles }) => roles.includes(role));
  const isUsed = (name: string) => {
    return findSetting(name) === undefined || used.some(({ key }) => key === name);
  };
  const shown = flags.filter(({ name }) => isUsed(name));
  const flagLines = shown.map(({ name, value = "", description }) => {
    return `  ${`--${name} ${value}`.padEnd(18)} ${description}`;
  });
  const width = Math.max(...used.map(({ key }) => key.length));
  const settingLines = used.map(({ key, shownDefault = "" }) =>
    `  ${key.padEnd(width)}  ${shownDefault}`.trimEnd(),
  );
  return [
    titles[role],
    "",
    ...flagLines,
    "",
    "Settings and their defaults (docs/configuration.md explains them):",
    "",
    ...settingLines,
    "",
  ].join("\n");
}
