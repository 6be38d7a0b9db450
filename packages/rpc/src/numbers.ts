/** Numbers and named values of messages: 64-bit fields are bigint there, ours stay below 2^53. */
import { RpcError } from "./errors.ts";

export function toBigints(numbers: readonly number[]): bigint[] {
  return numbers.map(BigInt);
}

export function toNumbers(bigints: readonly bigint[]): number[] {
  return bigints.map(Number);
}

interface Offset {
  readonly offset?: bigint | undefined;
}

/** One that may be absent. */
export function toOffset(offset: number | undefined): { offset: bigint | undefined } {
  return { offset: offset === undefined ? undefined : BigInt(offset) };
}

export function fromOffset({ offset }: Offset): number | undefined {
  return offset === undefined ? undefined : Number(offset);
}

/** The name of a value on the wire. Throws where it is none of this version. */
export function nameOf<N extends string>(
  values: Readonly<Record<N, number>>,
  value: number,
  what: string,
): N {
  for (const name in values) if (values[name] === value) return name;
  throw invalid(`${what} ${value}`);
}

/** A part that no message may be without. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw invalid(`no ${what}`);
  return value;
}

export function invalid(what: string): RpcError {
  return new RpcError("internal", `not understood: ${what}`);
}
