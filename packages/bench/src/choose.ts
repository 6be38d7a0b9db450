import { UsageError } from "./options.ts";

/** Those with these names, in their own order; all without names. @throws UsageError */
export function choose<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[],
): readonly T[] {
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(", ");
    throw new UsageError(`there is no scenario "${unknown}"; there are: ${known}`);
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}
