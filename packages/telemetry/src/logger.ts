import type { Logger } from "@canopy/base";
import { pino, stdSerializers, stdTimeFunctions } from "pino";
import { PinoPretty } from "pino-pretty";

export interface LogOptions {
  /** The least important messages that are written; "silent" writes none. */
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** "auto" is for people on a terminal and for machines everywhere else. */
  readonly format: "auto" | "json" | "pretty";
}

/** Where logs go. Standard output and standard error are such places. */
export interface LogStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** The only place that knows pino: everything else knows the port Logger. */
export function createLogger({ level, format }: LogOptions, stream: LogStream): Logger {
  const onTerminal = stream.isTTY ?? false;
  const isPretty = format === "pretty" || (format === "auto" && onTerminal);
  const options = {
    level,
    // A machine reads one process at a time and knows which one it is.
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: stdSerializers.err, err: stdSerializers.err },
  };
  if (!isPretty) return pino(options, stream);
  return pino(
    options,
    PinoPretty({
      destination: stream,
      colorize: onTerminal,
      translateTime: "SYS:HH:MM:ss.l",
      errorLikeObjectKeys: ["error", "err"],
      // Without it, what is logged last before the process ends could be missing.
      sync: true,
    }),
  );
}
