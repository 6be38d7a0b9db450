import { run } from "../run.ts";
import { type Defect, VARIABLE } from "./defect.ts";
import { defects } from "./list.ts";

export interface HuntOptions {
  readonly target: "cluster" | "standalone";
  readonly seed: number;
  /** For each defect. */
  readonly minutes: number;
  /** Only those with this in their name. */
  readonly only: readonly string[];
  readonly print: (text: string) => void;
}

/** How long it is waited for what is due, in vain mostly, ms. */
const PATIENCE = 10_000;
/** How much is told of an error, characters. */
const MOST = 600;

/** Runs each defect until it is caught, and prints a table; true if all were. */
export async function hunt(options: HuntOptions): Promise<boolean> {
  const { only, print } = options;
  const wanted = defects.filter(
    ({ name }) => only.length === 0 || only.some((text) => name.includes(text)),
  );
  const rows: string[] = [];
  let caught = 0;
  for (const defect of wanted) {
    const { by, seconds } = await hunted(defect, options);
    if (by !== undefined) caught++;
    rows.push(
      `| ${defect.name.padEnd(64)} | ${seconds.toFixed(0).padStart(5)} s | ${by ?? "NOT CAUGHT"} |`,
    );
    print(rows.at(-1) ?? "");
  }
  print(
    `| ${"defect".padEnd(64)} |   time  | caught by |\n| ${"-".repeat(64)} | ------: | --------- |`,
  );
  for (const row of rows) print(row);
  print(`${caught} of ${wanted.length} defects caught`);
  return caught === wanted.length;
}

/** The promise that was found broken. */
async function hunted(
  { name, faults }: Defect,
  { target, seed, minutes }: HuntOptions,
): Promise<{ by: string | undefined; seconds: number }> {
  const began = performance.now();
  const env = {
    [VARIABLE]: name,
    NODE_OPTIONS: `--import=${new URL("./hook.ts", import.meta.url).href}`,
  };
  let by: string | undefined;
  try {
    const isChosen = (fault: { readonly name: string }) => faults.includes(fault.name);
    const options = { target, seed, minutes, slack: Number.POSITIVE_INFINITY, patience: PATIENCE };
    const { rounds } = await run({ ...options, env, isChosen, print: () => {} });
    const promises = [...(rounds.at(-1)?.problems.keys() ?? [])];
    if (promises.length > 0) by = promises.join("; ");
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    by = `it does not run: ${text.replaceAll("\n", " ").slice(0, MOST)}`;
  }
  return { by, seconds: (performance.now() - began) / 1000 };
}
