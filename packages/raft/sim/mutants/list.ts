import { coreMutants } from "./core.ts";
import { hostMutants } from "./host.ts";
import { inspectMutants } from "./inspect.ts";
import type { Mutant } from "./mutant.ts";
import { storageMutants } from "./storage.ts";

export const mutants: readonly Mutant[] = [
  ...coreMutants,
  ...hostMutants,
  ...storageMutants,
  ...inspectMutants,
];
