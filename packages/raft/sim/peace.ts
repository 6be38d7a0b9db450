/** When all is well: nobody has a reason to hold another election, and who hears nothing can't make others hold one. */
import type { ReplicaId } from "../src/core/types.ts";
import type { GroupId } from "../src/storage/port.ts";
import { Dice } from "./dice.ts";
import { canDoWithout, eachGroup, isMember, patienceOf } from "./look.ts";
import type { SimNode } from "./node.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

interface Removed {
  readonly group: GroupId;
  readonly id: ReplicaId;
}

export async function stable(sim: Simulation): Promise<boolean> {
  // An election timer that ran before all was well may still end.
  await pass(sim, 4);
  return calm(sim, "stability", () => pass(sim, 4));
}

/**
 * Thesis 4.2.3 and 9.6: who can speak and hears nothing, a member or one that is removed meanwhile,
 * asks for votes again and again. Nobody takes over a term of it, nor does it have one when it
 * hears again. Who was removed goes then.
 */
export async function undisturbed(sim: Simulation): Promise<boolean> {
  const dice = new Dice(sim.plan.seed).split("peace");
  const victims = sim.nodes.filter((node) => {
    const leads = !eachGroup(sim, (group) => sim.leaderOf(group)?.node !== node);
    return node.groups.size > 0 && !leads && canDoWithout(sim, [node.name]);
  });
  if (victims.length === 0) return true;
  const victim = dice.pick(victims);
  const removed: Removed[] = [];
  const isCalm = await calm(sim, "a deaf replica does not disturb", async () => {
    cut(sim, victim, true);
    if (dice.chance(0.5)) removed.push(...(await remove(sim, victim)));
    await pass(sim, 5);
    cut(sim, victim, false);
    await pass(sim, 4);
  });
  return isCalm && gone(sim, victim, removed);
}

function cut(sim: Simulation, deaf: SimNode, is: boolean): void {
  sim.note("net", `${deaf.name} hears ${is ? "nothing" : "again"}`);
  for (const { name } of sim.nodes) if (name !== deaf.name) sim.network.cut(name, deaf.name, is);
}

/** Where it is a voter. */
async function remove(sim: Simulation, { groups }: SimNode): Promise<Removed[]> {
  const removed: Removed[] = [];
  const asked: Promise<void>[] = [];
  for (const [group, { shadow }] of groups) {
    const { id } = shadow;
    if (sim.leaderOf(group)?.status.configuration.voters.includes(id) !== true) continue;
    removed.push({ group, id });
    asked.push(sim.operator.change(group, { type: "remove", id }));
  }
  let done = false;
  void Promise.all(asked).then(() => {
    done = true;
  });
  await sim.run(sim.scheduler.now + patienceOf(sim), () => done);
  return removed;
}

async function gone(
  sim: Simulation,
  victim: SimNode,
  removed: readonly Removed[],
): Promise<boolean> {
  const left = (): Removed[] =>
    removed.filter(({ group, id }) => victim.groups.get(group)?.shadow.id === id);
  const reached = (): boolean => left().length === 0;
  if (await sim.run(sim.scheduler.now + patienceOf(sim), reached)) return true;
  const names = left().map(({ group, id }) => `replica ${id} of group ${group}`);
  sim.report(new Violation("progress", `${names.join(", ")} was removed, and runs on`));
  return false;
}

/** Of each group's members, before and after. */
async function calm(
  sim: Simulation,
  invariant: string,
  act: () => Promise<void>,
): Promise<boolean> {
  const before = terms(sim);
  await act();
  const after = terms(sim);
  if (sim.failure === undefined && before !== after) {
    sim.report(new Violation(invariant, `the groups' terms were ${before} and became ${after}`));
  }
  return sim.failure === undefined;
}

function terms(sim: Simulation): string {
  const highest: number[] = [];
  for (const node of sim.nodes) {
    for (const [group, { handle }] of node.groups) {
      const { status } = handle;
      if (isMember(status)) highest[group] = Math.max(highest[group] ?? 0, status.term);
    }
  }
  return highest.join(" ");
}

/** Election timeouts. */
async function pass(sim: Simulation, timeouts: number): Promise<void> {
  const { tick, electionTicks } = sim.plan;
  await sim.run(sim.scheduler.now + timeouts * tick * electionTicks, () => false);
}
