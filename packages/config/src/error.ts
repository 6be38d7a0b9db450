import { CanopyError } from "@canopy/base";

/** A setting that cannot be used. The message is one line for the person who wrote the setting. */
export class ConfigError extends CanopyError {
  /** The setting's key, or undefined where the error is about a file or a flag. */
  readonly key: string | undefined;

  constructor(message: string, key?: string) {
    super("config", message);
    this.key = key;
  }
}

const longestShown = 80;

/** What was given, short enough for one line. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= longestShown ? text : `${text.slice(0, longestShown)}…`;
}
