import type { Logger } from "@canopy/base";

function line(level: string): Logger["info"] {
  return (fields, message) => {
    process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`);
  };
}

const nothing = (): void => {};

/** Warnings and errors, for people. */
export const stderrLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: line("warn"),
  error: line("error"),
};
