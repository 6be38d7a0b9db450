/**
 * The kinds of settings that the schema is made of. Each reads what a YAML file holds (numbers,
 * booleans, texts) and also the plain text of a flag or an environment variable, and carries what
 * the documentation and an error message say about it.
 */
import { z } from "zod";
import {
  type Endpoint,
  endpointForms,
  isNodeName,
  type NodeAddress,
  nodeForms,
  parseEndpoint,
  parseNode,
  parseTarget,
} from "./endpoint.ts";
import { type ListenAddress, listenForms, parseListenAddress } from "./listen.ts";
import {
  parseDuration,
  parseNumber,
  parseSeconds,
  parseSize,
  showDuration,
  showSize,
} from "./units.ts";

/** What a setting says about itself. */
export interface SettingMeta {
  readonly description: string;
  /** The unit of a plain number, if it has one. */
  readonly unit: string | undefined;
  /** The allowed values. */
  readonly allowed: string;
  /** How values may be written, where that is not plain. */
  readonly form: string | undefined;
  /** The default as somebody would write it; undefined where there is none. */
  readonly shownDefault: string | undefined;
  /** A map has entries with keys of their own: `key.name`. */
  readonly isMap: boolean;
}

export const settingMeta = z.registry<SettingMeta>();

interface NumberOptions {
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
  readonly description: string;
}

interface NumberKind {
  readonly parse: (raw: unknown) => unknown;
  readonly show: (value: number) => string;
  readonly unit: string | undefined;
  readonly form: string | undefined;
}

const largest = Number.MAX_SAFE_INTEGER;

function numberMeta(kind: NumberKind, options: Omit<NumberOptions, "default">) {
  const { min = 0, max = largest, description } = options;
  const allowed =
    max === largest ? `at least ${kind.show(min)}` : `${kind.show(min)} to ${kind.show(max)}`;
  return { description, allowed, unit: kind.unit, form: kind.form, isMap: false };
}

function numberSchema(
  kind: NumberKind,
  { min = 0, max = largest }: Omit<NumberOptions, "default">,
) {
  return z.preprocess(kind.parse, z.int().min(min).max(max));
}

function requiredNumber(kind: NumberKind, options: NumberOptions) {
  return numberSchema(kind, options)
    .default(options.default)
    .register(settingMeta, {
      ...numberMeta(kind, options),
      shownDefault: kind.show(options.default),
    });
}

const secondsKind: NumberKind = {
  parse: parseSeconds,
  show: String,
  unit: "s",
  form: "a number of seconds, or such as 90s, 5m, 1h",
};

export function count(unit: string | undefined, options: NumberOptions) {
  return requiredNumber(
    { parse: parseNumber, show: String, unit, form: "a whole number" },
    options,
  );
}

/** Without a default of its own: what it is then follows from other settings. */
export function optionalCount(unit: string | undefined, options: Omit<NumberOptions, "default">) {
  const kind = { parse: parseNumber, show: String, unit, form: "a whole number" };
  return numberSchema(kind, options)
    .optional()
    .register(settingMeta, { ...numberMeta(kind, options), shownDefault: undefined });
}

export function duration(options: NumberOptions) {
  const form = "a number of milliseconds, or such as 200ms, 3s, 5m, 1h";
  return requiredNumber({ parse: parseDuration, show: showDuration, unit: "ms", form }, options);
}

export function size(options: NumberOptions) {
  const form = "a number of bytes, or such as 64KiB, 1MiB, 1GiB";
  return requiredNumber({ parse: parseSize, show: showSize, unit: "bytes", form }, options);
}

/** For what MQTT itself counts in seconds. */
export function seconds(options: NumberOptions) {
  return requiredNumber(secondsKind, options);
}

export function optionalSeconds(options: Omit<NumberOptions, "default">) {
  return numberSchema(secondsKind, options)
    .optional()
    .register(settingMeta, { ...numberMeta(secondsKind, options), shownDefault: undefined });
}

function switchSchema() {
  return z.preprocess(
    (raw) => (raw === "true" ? true : raw === "false" ? false : raw),
    z.boolean(),
  );
}

const switchMeta = { unit: undefined, allowed: "true or false", form: undefined, isMap: false };

export function toggle(options: { default: boolean; description: string }) {
  return switchSchema()
    .default(options.default)
    .register(settingMeta, {
      ...switchMeta,
      description: options.description,
      shownDefault: String(options.default),
    });
}

export function optionalToggle(options: { description: string }) {
  return switchSchema()
    .optional()
    .register(settingMeta, {
      ...switchMeta,
      description: options.description,
      shownDefault: undefined,
    });
}

export function choice<const Value extends string>(
  values: readonly [Value, ...Value[]],
  options: { default: NoInfer<Value>; description: string },
) {
  return z
    .enum(values)
    .default(options.default as never)
    .register(settingMeta, {
      description: options.description,
      unit: undefined,
      allowed: values.join(", "),
      form: undefined,
      shownDefault: options.default,
      isMap: false,
    });
}

/** A whole number of a few, such as a QoS. */
export function level<const Value extends number>(
  values: readonly [Value, ...Value[]],
  options: { default: NoInfer<Value>; description: string },
) {
  return z
    .preprocess(parseNumber, z.literal(values))
    .default(options.default as never)
    .register(settingMeta, {
      description: options.description,
      unit: undefined,
      allowed: values.join(", "),
      form: undefined,
      shownDefault: String(options.default),
      isMap: false,
    });
}

const path = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"));
const pathMeta = { unit: undefined, allowed: "a path", form: undefined, isMap: false };

export function folder(options: { default: string; description: string }) {
  return path.default(options.default).register(settingMeta, {
    ...pathMeta,
    description: options.description,
    shownDefault: options.default,
  });
}

export function optionalFile(options: { description: string }) {
  return path.optional().register(settingMeta, {
    ...pathMeta,
    description: options.description,
    shownDefault: undefined,
  });
}

/** By a parser that gives what was read, or says what is wrong with it. */
function parsed<T extends object>(parse: (text: string) => T | string) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (typeof value !== "string") return value;
    context.addIssue({ code: "custom", message: value, input: text });
    return z.NEVER;
  });
}

const listenAddress = parsed<ListenAddress>(parseListenAddress);

function splitList(raw: unknown): unknown {
  return typeof raw === "string" ? raw.split(",").map((part) => part.trim()) : raw;
}

export function listenAddresses(options: { default: readonly string[]; description: string }) {
  return z
    .preprocess(splitList, z.array(listenAddress).min(1))
    .prefault(options.default)
    .register(settingMeta, {
      description: options.description,
      unit: undefined,
      allowed: listenForms,
      form: undefined,
      shownDefault: options.default.join(", "),
      isMap: false,
    });
}

/** A map from any name to one of the values. It is read as a Map: a name may be "constructor". */
export function choicesByName<const Value extends string>(
  values: readonly [Value, ...Value[]],
  options: { description: string },
) {
  return z
    .map(z.string().min(1), z.enum(values))
    .transform((map): ReadonlyMap<string, Value> => map as ReadonlyMap<string, Value>)
    .register(settingMeta, {
      description: options.description,
      unit: undefined,
      allowed: `for each name one of ${values.join(", ")}`,
      form: undefined,
      shownDefault: undefined,
      isMap: true,
    });
}

const plainMeta = { unit: undefined, form: undefined, isMap: false };

/** Where this process serves others. */
export function endpoint(options: { default: string; description: string }) {
  return parsed<Endpoint>(parseEndpoint)
    .prefault(options.default)
    .register(settingMeta, {
      ...plainMeta,
      description: options.description,
      allowed: endpointForms,
      shownDefault: options.default,
    });
}

/** Where somebody can be reached. */
export function optionalTarget(options: { description: string }) {
  return parsed<Endpoint>(parseTarget)
    .optional()
    .register(settingMeta, {
      ...plainMeta,
      description: options.description,
      allowed: endpointForms,
      shownDefault: undefined,
    });
}

export function optionalNodes(options: { description: string }) {
  return z
    .preprocess(splitList, z.array(parsed<NodeAddress>(parseNode)).min(1))
    .optional()
    .register(settingMeta, {
      ...plainMeta,
      description: options.description,
      allowed: nodeForms,
      shownDefault: undefined,
    });
}

export function optionalName(options: { description: string }) {
  return z
    .string()
    .refine(isNodeName)
    .optional()
    .register(settingMeta, {
      ...plainMeta,
      description: options.description,
      allowed: "letters, digits, and - . _ between them, at most 63",
      shownDefault: undefined,
    });
}
