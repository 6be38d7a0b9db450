/** Bugs in what an operator does with what is left of a group. */
import type { Mutant } from "./mutant.ts";

export const inspectMutants: readonly Mutant[] = [
  {
    name: "a recovery keeps the voters of before",
    file: "inspect/survivors.ts",
    find: "const after = { ...none, voters, highest, nodes };",
    replace: "const after = { ...none, voters: before.voters, highest, nodes: before.nodes };",
  },
  {
    name: "a recovery leaves the changes of members in the log",
    file: "inspect/survivors.ts",
    find: ".map(withoutChange),",
    replace: ",",
  },
  {
    name: "a recovery forgets which ids were given",
    file: "inspect/survivors.ts",
    find: "const { highest } = before;",
    replace: "const highest = Math.max(...keep);",
  },
  {
    name: "a recovery keeps more than two",
    file: "inspect/survivors.ts",
    find: "export const MOST_KEPT = 2;",
    replace: "export const MOST_KEPT = 3;",
  },
];
