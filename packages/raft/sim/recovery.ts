/**
 * The last act of some seeds: most disks are lost for good, in the middle of things, and an operator
 * makes what is left of each group a group that works (`canopy raft recover`). What only the lost
 * ones had is lost, so what is checked begins anew.
 */
import type { ReplicaId } from "../src/core/types.ts";
import {
  carryOut,
  MOST_KEPT,
  planRecovery,
  RecoverError,
  type RecoverPlan,
} from "../src/inspect/survivors.ts";
import type { GroupId, RaftStorage } from "../src/storage/port.ts";
import { Dice } from "./dice.ts";
import { every, patienceOf } from "./look.ts";
import type { SimNode } from "./node.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

/** Of the seeds; with five voters more than two can be left and not be a majority. */
const SHARE = 0.25;
const MANY = 5;

interface Survivor {
  readonly node: SimNode;
  readonly plan: RecoverPlan;
}

export async function recovered(sim: Simulation): Promise<boolean> {
  const dice = new Dice(sim.plan.seed).split("recovery");
  const share = sim.plan.voters >= MANY ? 1 : SHARE;
  if (sim.nodes.length < 2 || !dice.chance(share)) return true;
  await disaster(sim, dice);
  const left = sim.nodes.filter((node) => node.diskId !== undefined);
  const survivors = new Map<GroupId, readonly Survivor[]>();
  const found = await survey(sim, dice, left);
  for (let group = 0; group < sim.plan.groups; group++) {
    sim.forget(group);
    survivors.set(group, kept(found.filter(({ plan }) => plan.group === group)));
  }
  for (const node of left) await repair(sim, dice, node, survivors);
  if (sim.failure !== undefined) return false;
  sim.down = false;
  for (const node of sim.nodes) node.boot();
  for (const [group, kept] of survivors) {
    if (kept.length > 0 && !(await works(sim, dice, group, kept))) return false;
  }
  return sim.failure === undefined;
}

/**
 * Logs differ when it comes, as some of those that will be left are cut off before, and a change of
 * members may be under way.
 */
async function disaster(sim: Simulation, dice: Dice): Promise<void> {
  const { nodes, scheduler, network } = sim;
  sim.note("sim", "a disaster is to come");
  sim.operator.idle = true;
  const order = nodes.map((node) => ({ node, by: dice.next() })).sort((a, b) => a.by - b.by);
  const count = Math.min(dice.pick([1, 2, 3, 3]), nodes.length - 1);
  const survivors = order.slice(0, count).map(({ node }) => node);
  const alone = dice.chance(0.6) ? survivors.slice(dice.pick([0, 1, 1])) : [];
  sim.quiet = false;
  for (let group = 0; group < sim.plan.groups; group++) {
    if (dice.chance(0.5)) sim.operator.changeAny(group);
  }
  sim.quiet = true;
  await sim.run(scheduler.now + dice.exponential(5), () => false);
  for (const { name } of alone) {
    for (const other of nodes) {
      network.cut(name, other.name, true);
      network.cut(other.name, name, true);
    }
  }
  for (let bursts = dice.between(0, 4); bursts > 0; bursts--) {
    for (const node of nodes) sim.burst(node, dice);
    await sim.run(scheduler.now + dice.exponential(10), () => false);
  }
  sim.down = true;
  for (const node of nodes) {
    if (survivors.includes(node)) node.crash();
    else node.wipe();
    node.assignments.clear();
  }
  network.heal();
}

/** What a command that is cut off left is found again by the next; one of them is not cut off. */
async function command(
  sim: Simulation,
  dice: Dice,
  node: SimNode,
  act: (storage: RaftStorage) => Promise<void>,
  cutOffs: number = dice.pick([0, 0, 1, 2]),
): Promise<void> {
  for (let left = cutOffs; sim.failure === undefined; left--) {
    let done = false;
    const work = node.offline(act);
    work.done.then(
      () => {
        done = true;
      },
      (error: unknown) => sim.report(error),
    );
    const { now } = sim.scheduler;
    const end = left > 0 ? now + dice.exponential(5) : now + patienceOf(sim);
    if (await sim.run(end, () => done)) return;
    work.cutOff();
    if (left <= 0) sim.report(new Violation("progress", `a command on ${node.name} does not end`));
  }
}

/** Which replicas are left, and what each knows of the others. */
async function survey(
  sim: Simulation,
  dice: Dice,
  left: readonly SimNode[],
): Promise<readonly Survivor[]> {
  const found: Survivor[] = [];
  for (const node of left) {
    const look = (storage: RaftStorage): Promise<void> => {
      for (const [group, { replica }] of storage.groups) {
        const plan = planned(storage, group, [replica]);
        if (plan !== undefined) found.push({ node, plan });
      }
      return Promise.resolve();
    };
    await command(sim, dice, node, look, 0);
  }
  return found;
}

/** Undefined for one that is no member as far as it knows. */
function planned(
  storage: RaftStorage,
  group: GroupId,
  keep: readonly ReplicaId[],
): RecoverPlan | undefined {
  try {
    return planRecovery(storage, group, keep);
  } catch (error) {
    if (error instanceof RecoverError) return undefined;
    throw error;
  }
}

/** The longest logs, of those that know each other. */
function kept(found: readonly Survivor[]): readonly Survivor[] {
  const kept: Survivor[] = [];
  const order = [...found].sort(
    ({ plan: a }, { plan: b }) => b.lastTerm - a.lastTerm || b.lastIndex - a.lastIndex,
  );
  const knows = (a: Survivor, b: Survivor): boolean => a.plan.before.nodes.has(b.plan.replica);
  for (const one of order) {
    if (kept.length >= MOST_KEPT) break;
    if (kept.every((other) => knows(one, other) && knows(other, one))) kept.push(one);
  }
  return kept;
}

async function repair(
  sim: Simulation,
  dice: Dice,
  node: SimNode,
  survivors: ReadonlyMap<GroupId, readonly Survivor[]>,
): Promise<void> {
  await command(sim, dice, node, async (storage) => {
    for (const [group, { replica }] of storage.groups) {
      const keep = survivors.get(group)?.map(({ plan }) => plan.replica) ?? [];
      if (keep.includes(replica)) await carryOut(storage, planRecovery(storage, group, keep));
      else await storage.remove(group);
    }
  });
  const adopt = (storage: RaftStorage): Promise<void> => {
    node.adopt(storage);
    return Promise.resolve();
  };
  await command(sim, dice, node, adopt, 0);
}

/** The survivors, and nobody else, go on; and another can be added, under an id that nobody had. */
async function works(
  sim: Simulation,
  dice: Dice,
  group: GroupId,
  kept: readonly Survivor[],
): Promise<boolean> {
  const ids = kept.map(({ plan }) => plan.replica).sort((a, b) => a - b);
  if (!(await goesOn(sim, dice, group, ids))) return false;
  if (!keepsIds(sim, group, kept)) return false;
  for (const isForgetful of [true, false]) {
    const id = await add(sim, dice, group, isForgetful);
    const { voters } = sim.leaderOf(group)?.status.configuration ?? { voters: ids };
    if (id !== undefined && voters.includes(id)) return goesOn(sim, dice, group, [...ids, id]);
  }
  return sim.failure === undefined;
}

/** Of what came to nothing before, an operator need not know: then an id is given that somebody had for a moment. */
async function add(
  sim: Simulation,
  dice: Dice,
  group: GroupId,
  isForgetful: boolean,
): Promise<ReplicaId | undefined> {
  const highest = sim.leaderOf(group)?.status.configuration.highest ?? 0;
  const free = sim.nodes.filter((node) => node.isFree(group) && !node.hasGroup(group));
  if (free.length === 0) return undefined;
  const id = isForgetful ? highest + 1 : sim.operator.newId(group, highest);
  let done = false;
  const change = { type: "addVoter", id, node: dice.pick(free).name } as const;
  void sim.operator.change(group, change).then(() => {
    done = true;
  });
  await sim.run(sim.scheduler.now + patienceOf(sim), () => done);
  return id;
}

/** An id that somebody had, as far as it is known here, is not given to another. */
function keepsIds(sim: Simulation, group: GroupId, kept: readonly Survivor[]): boolean {
  for (const { node, plan } of kept) {
    const highest = node.groups.get(group)?.handle.status.configuration.highest ?? 0;
    if (highest >= plan.before.highest) continue;
    const ids = `${highest} after a recovery, and ${plan.before.highest} was given before`;
    sim.report(
      new Violation("an id is given once", `${node.name}: group ${group}: highest ${ids}`),
    );
    return false;
  }
  return true;
}

async function goesOn(
  sim: Simulation,
  dice: Dice,
  group: GroupId,
  ids: readonly ReplicaId[],
): Promise<boolean> {
  const mark = sim.invariants(group).maxCommit + 3;
  const voters = (): string => sim.leaderOf(group)?.status.configuration.voters.join() ?? "none";
  const reached = (): boolean => {
    const leader = sim.leaderOf(group)?.node;
    if (leader !== undefined && sim.invariants(group).maxCommit < mark) sim.burst(leader, dice);
    return (
      sim.invariants(group).maxCommit >= mark &&
      voters() === ids.join() &&
      sim.appliedEverywhere(group)
    );
  };
  if (await sim.run(sim.scheduler.now + patienceOf(sim), every(200, reached))) return true;
  const detail = `group ${group} with voters ${voters()} after a recovery that left ${ids.join()}`;
  if (sim.failure === undefined) sim.report(new Violation("progress", detail));
  return false;
}
