/** Makes this process load the sources with one bug in them. Nothing of src/ may be loaded before. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import type { Mutant } from "./mutant.ts";

export function sourceOf({ file }: Mutant): URL {
  return new URL(`../../src/${file}`, import.meta.url);
}

/** Throws where the text is not there, or more than once. */
export function mutate(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find);
  if (parts.length !== 2) {
    throw new Error(`${mutant.file} has this ${parts.length - 1} times: ${mutant.find}`);
  }
  return parts.join(mutant.replace);
}

/** Throws as mutate() does. */
export function applyMutant(mutant: Mutant): void {
  const url = sourceOf(mutant);
  const source = mutate(mutant, readFileSync(url, "utf8"));
  registerHooks({
    load: (wanted, context, next) => {
      if (wanted !== url.href) return next(wanted, context);
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
