import { parseDocument } from "yaml";
import type { z } from "zod";
import { checkCluster } from "./cluster.ts";
import { type Environment, fileVariable, giveEnvironment } from "./environment.ts";
import { ConfigError, quote } from "./error.ts";
import { configFile, giveFlags } from "./flags.ts";
import { isLoopback } from "./listen.ts";
import { type Role, roleNames } from "./roles.ts";
import { type Config, type Settings, schema } from "./schema.ts";
import { findSetting, settings } from "./settings.ts";
import { type GivenValues, giveTable } from "./source.ts";

export interface ConfigSources {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Returns a file's text or throws; the only way to anything outside. */
  readonly readFile: (path: string) => string;
  /** What is started; the standalone broker if it is not said. */
  readonly role?: Role;
  /** The machine's name. */
  readonly hostname?: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting that is not at its default comes from, by key. */
  readonly origins: ReadonlyMap<string, string>;
  /** What somebody may have meant differently, one line each. */
  readonly warnings: readonly string[];
}

function giveFile(values: GivenValues, path: string, readFile: ConfigSources["readFile"]): void {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the configuration file ${path}: ${reason}`);
  }
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [firstLine = ""] = problem.message.split("\n");
    throw new ConfigError(`${path} is not valid YAML: ${firstLine.replace(/:$/, "")}`);
  }
  giveTable(values, document.toJS(), path);
}

/** The given values in the shape of the schema; what nobody gave is absent. */
function nest(values: GivenValues): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { key, isMap } of settings) {
    const names = key.split(".");
    const last = names.pop() ?? "";
    let table = root;
    for (const name of names) table = (table[name] ??= {}) as Record<string, unknown>;
    const given = values.get(key);
    if (given !== undefined) table[last] = given.raw;
    else if (isMap) table[last] = entriesBelow(values, `${key}.`);
  }
  return root;
}

function entriesBelow(values: GivenValues, prefix: string): Map<string, unknown> {
  const found = [...values].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, { raw }]) => [key.slice(prefix.length), raw]));
}

function invalid(issue: z.core.$ZodIssue, values: GivenValues): ConfigError {
  const place = issue.path.map(String);
  // The path of an issue goes on into lists; the setting is the longest key that it starts with.
  while (place.length > 1 && !values.has(place.join("."))) place.pop();
  const key = place.join(".");
  const given = values.get(key);
  const reason = issue.code === "custom" && issue.message !== "Invalid input" ? issue.message : "";
  const detail = reason === "" ? "" : `: ${reason}`;
  const { allowed = "", form } = findSetting(key) ?? {};
  const written = form === undefined ? "" : ` (${form})`;
  const from = given === undefined ? "" : ` (${given.origin})`;
  return new ConfigError(
    `${key}: got ${quote(given?.raw)}${from}${detail}; allowed: ${allowed}${written}`,
    key,
  );
}

/**
 * Whether clients may come without a user name. An open broker must be meant: a listener that other
 * machines can reach needs credentials or the explicit permission.
 */
function resolveAnonymous({ listen, auth }: Settings): boolean {
  if (auth.passwordFile !== undefined) return auth.anonymous ?? false;
  if (auth.anonymous === false) {
    const problem = "it is false and auth.passwordFile is not set: nobody could connect";
    throw new ConfigError(`auth.anonymous: ${problem}`, "auth.anonymous");
  }
  const open = listen.find((address) => !isLoopback(address));
  if (open !== undefined && auth.anonymous !== true) {
    throw new ConfigError(
      `listen: ${open.text} can be reached from other machines, and nothing says who may connect: ` +
        "set auth.passwordFile, or let everybody in with auth.anonymous=true",
      "listen",
    );
  }
  return true;
}

function checkPlaces({ listen }: Settings): void {
  const fixed = listen.filter(({ port }) => port !== 0).map(({ host, port }) => `${host}:${port}`);
  const twice = fixed.find((place, at) => fixed.indexOf(place) !== at);
  if (twice !== undefined) throw new ConfigError(`listen: two listeners want ${twice}`, "listen");
}

const flagOrigins: ReadonlySet<string> = new Set(["--set", "--data", "--listen", "--workers"]);

/**
 * Of settings that this kind of process does not use. A flag is meant for this process alone, so it is
 * an error; a file and an environment may be those of the whole cluster, so it is a warning.
 */
function unused(values: GivenValues, role: Role): string[] {
  const warnings: string[] = [];
  for (const [key, { origin }] of values) {
    const allowed = findSetting(key)?.roles ?? [];
    if (allowed.includes(role)) continue;
    const users = allowed.map((one) => roleNames[one]).join(", ");
    const problem = `${key} (${origin}) has no effect on ${roleNames[role]}: it is for ${users}`;
    if (flagOrigins.has(origin)) throw new ConfigError(problem, key);
    warnings.push(problem);
  }
  return warnings;
}

const SHARDS = 4;
const CLUSTER_SHARDS = 16;

/**
 * The configuration from all sources, checked: defaults, then the file, then the environment, then
 * flags, each over the ones before. Throws a ConfigError.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { argv, env, readFile, role = "standalone", hostname = "localhost" } = sources;
  const values: GivenValues = new Map();
  const file = configFile(argv) ?? env[fileVariable];
  if (file !== undefined) giveFile(values, file, readFile);
  const warnings = giveEnvironment(values, env);
  giveFlags(values, argv);
  warnings.push(...unused(values, role));

  const result = schema.safeParse(nest(values));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw issue === undefined ? result.error : invalid(issue, values);
  }
  const { data } = result;
  const listens = role === "standalone" || role === "gateway";
  if (listens) checkPlaces(data);
  const anonymous = listens ? resolveAnonymous(data) : false;
  const shards = data.store.shards ?? (role === "standalone" ? SHARDS : CLUSTER_SHARDS);
  const config: Config = {
    ...data,
    auth: { ...data.auth, anonymous },
    node: { name: data.node.name ?? hostname },
    store: { ...data.store, shards },
  };
  if (role !== "standalone") warnings.push(...checkCluster(config, role));
  const origins = new Map([...values].map(([key, { origin }]) => [key, origin]));
  return { config, origins, warnings };
}
