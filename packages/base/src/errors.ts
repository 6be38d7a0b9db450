/** An error that callers tell apart by its code. */
export class CanopyError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Stored or received bytes that no writer of ours would have made. */
export class DecodeError extends CanopyError {
  constructor(message: string) {
    super("decode", message);
  }
}

/** For what only a bug of ours can break; input from outside gets an error with its own code. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CanopyError("assertion", message);
}

/** Makes the compiler prove that a switch names every case. */
export function unreachable(value: never): never {
  throw new CanopyError("unreachable", `unexpected value: ${String(value)}`);
}
