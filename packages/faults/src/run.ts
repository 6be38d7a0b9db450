import { writeFileSync } from "node:fs";
import type { Fault } from "./faults/fault.ts";
import { faults } from "./faults/index.ts";
import { lineOf, slowIn, tableOf, textOf } from "./report.ts";
import { type Round, Suite } from "./suite.ts";
import { starters } from "./targets/index.ts";

export interface RunOptions {
  readonly target: "cluster" | "standalone";
  readonly seed: number;
  /** No round begins later; one of each fault runs where it is 0. */
  readonly minutes: number;
  readonly isChosen: (fault: Fault) => boolean;
  /** How many times its limit a recovery may take. */
  readonly slack: number;
  readonly env?: Readonly<Record<string, string>>;
  /** How long it is waited for what is due, ms. */
  readonly patience?: number;
  readonly print: (text: string) => void;
}

export interface Result {
  readonly rounds: readonly Round[];
  /** What is wrong, in lines; nothing where all is right. */
  readonly wrong: readonly string[];
}

/** Starts a target and goes through faults, until something is wrong or the time is over. */
export async function run(options: RunOptions): Promise<Result> {
  const { seed, minutes, print, slack } = options;
  const target = await starters[options.target](options.env);
  const suite = new Suite(target, seed, options.patience);
  const rounds: Round[] = [];
  try {
    const chosen = faults.filter((fault) => suite.suits(fault) && options.isChosen(fault));
    if (chosen.length === 0) return { rounds, wrong: [`no such fault for ${target.name}`] };
    await suite.open();
    const end = suite.history.now + minutes * 60_000;
    for (let i = 0; i < chosen.length || suite.history.now < end; i++) {
      if (minutes > 0 && suite.history.now >= end) break;
      const round = await suite.round(chosen[i % chosen.length] as Fault);
      rounds.push(round);
      print(lineOf(round));
      if (round.problems.size === 0) continue;
      const file = suite.history.write(`${target.name}-${seed}`);
      const log = file.replace(/jsonl$/, "log");
      writeFileSync(log, `${target.output().join("\n")}\n`);
      const where = `--seed ${seed}; the history: ${file}; what the processes said: ${log}`;
      return { rounds, wrong: [textOf(round.problems), where] };
    }
    await suite.close();
    print(tableOf(rounds));
    return { rounds, wrong: rounds.flatMap((round) => slowIn(round, slack)) };
  } finally {
    await suite.close();
    await target.stop();
  }
}
