/** A deliberate bug: in these files of the tree these texts, each there exactly once, become others. */
export interface Defect {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Faults that bring it to light. */
  readonly faults: readonly string[];
}

export interface Edit {
  /** From the root of the tree. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The variable of the environment that names the defect of a process. */
export const VARIABLE = "FAULTS_DEFECT";

/** Throws where a text is not there, or more than once. */
export function defective({ file, find, replace }: Edit, source: string): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times: ${find}`);
  return parts.join(replace);
}
