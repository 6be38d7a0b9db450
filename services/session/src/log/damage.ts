import { CanopyError } from "@canopy/base";

/** A log that must not be started from: going on would lose what was acknowledged. */
export class LogError extends CanopyError {
  readonly file: string;
  readonly offset: number;

  constructor(
    code: "damaged" | "newer" | "missing",
    file: string,
    offset: number,
    what: string,
    options?: ErrorOptions,
  ) {
    const because = options?.cause instanceof Error ? `: ${options.cause.message}` : "";
    super(code, `${file}, offset ${offset}: ${what}${because}`, options);
    this.file = file;
    this.offset = offset;
  }
}
