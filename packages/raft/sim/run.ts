/** From a seed to a verdict. */
import { Journal } from "./journal.ts";
import { canDoWithout, eachGroup, every, patienceOf } from "./look.ts";
import { stable, undisturbed } from "./peace.ts";
import { type Aim, type Fault, planOf } from "./plan.ts";
import { recovered } from "./recovery.ts";
import { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

export interface RunResult {
  readonly seed: number;
  readonly failure: { readonly invariant: string; readonly message: string } | undefined;
  readonly hash: number;
  readonly counts: Record<string, number>;
  readonly faults: Partial<Record<Fault, number>>;
  readonly simulated: number;
  readonly lines: readonly string[];
}

let current: Simulation | undefined;
let listening = false;

/** A promise that nobody waits for is an error of the code under test. */
function listen(): void {
  if (listening) return;
  listening = true;
  process.on("unhandledRejection", (error) => current?.report(error));
}

/** Keeps the last `lines` lines of the trace. */
export async function runSeed(seed: number, lines = 0, aim: Aim = {}): Promise<RunResult> {
  listen();
  const sim = new Simulation(planOf(seed, aim), new Journal(lines));
  current = sim;
  try {
    await act(sim);
  } catch (error) {
    sim.report(error);
  } finally {
    current = undefined;
  }
  return resultOf(seed, sim);
}

async function act(sim: Simulation): Promise<void> {
  const { plan, scheduler } = sim;
  if (!(await sim.run(plan.duration, () => false)) && sim.failure !== undefined) return;
  heal(sim);
  if (!(await progress(sim, "after healing"))) return;
  if (!(await withoutMinority(sim))) return;
  sim.quiet = true;
  const patience = patienceOf(sim);
  // A change that the operator has begun and nobody's log has yet may be one that removes a leader.
  const everywhere = (): boolean =>
    sim.nodes.every((node) => node.up) &&
    sim.clients.every((client) => client.settled) &&
    eachGroup(sim, (group) => !sim.operator.isBusy(group) && sim.appliedEverywhere(group));
  if (!(await sim.run(scheduler.now + patience, every(20, everywhere)))) {
    if (sim.failure === undefined)
      sim.report(new Violation("progress", describe(sim, "to settle")));
    return;
  }
  if (!(await stable(sim))) return;
  sim.history.check();
  if (await undisturbed(sim)) await recovered(sim);
}

/** From here on the network and the disks are as good as the timeouts suppose. */
function heal(sim: Simulation): void {
  const { plan, network } = sim;
  const moment = (plan.tick * plan.electionTicks) / 40;
  sim.note("sim", "everything is healed");
  Object.assign(network.trouble, {
    delay: Math.min(network.trouble.delay, moment),
    loss: 0,
    duplicate: 0,
    breaks: 0,
    refuse: 0,
    disorder: false,
  });
  sim.nemesis.heal();
  for (const node of sim.nodes) node.disk.speed.sync = Math.min(node.disk.speed.sync, moment);
}

/** Every group commits more of what clients ask for, and answers a read. */
async function progress(sim: Simulation, when: string): Promise<boolean> {
  const { plan, scheduler } = sim;
  const marks = new Map<number, number>();
  for (const { group } of sim.clients) marks.set(group, sim.invariants(group).maxCommit + 3);
  const reads = [...sim.reads];
  const reached = (): boolean =>
    [...marks].every(([group, mark]) => sim.invariants(group).maxCommit >= mark) &&
    [...marks.keys()].every((group) => (sim.reads[group] ?? 0) > (reads[group] ?? 0)) &&
    eachGroup(sim, (group) => sim.leaderOf(group) !== undefined);
  if (await sim.run(scheduler.now + patienceOf(sim), every(20, reached))) return true;
  if (sim.failure === undefined) sim.report(new Violation("progress", describe(sim, when)));
  return plan.groups === 0;
}

/** Those that a majority can do without are gone for a while, the leader among them. */
async function withoutMinority(sim: Simulation): Promise<boolean> {
  if (sim.plan.seed % 2 === 0) return true;
  // One more change, and a majority could be something else.
  sim.operator.idle = true;
  const ready = (): boolean =>
    eachGroup(sim, (group) => !sim.operator.isBusy(group) && sim.appliedEverywhere(group));
  await sim.run(sim.scheduler.now + 1000, every(20, ready));
  for (const group of sim.plan.groups > 1 ? [0, 1] : [0]) {
    const leader = sim.leaderOf(group)?.node;
    const gone = leader === undefined ? [] : [leader];
    if (
      gone.length === 0 ||
      !canDoWithout(
        sim,
        gone.map((node) => node.name),
      )
    )
      continue;
    for (const node of gone) node.crash();
    if (!(await progress(sim, "without a minority"))) return false;
    for (const node of gone) if (!node.up) node.boot();
  }
  sim.operator.idle = false;
  return sim.failure === undefined;
}

function describe(sim: Simulation, when: string): string {
  const lines = [`none ${when}`];
  for (const node of sim.nodes) {
    if (!node.up) lines.push(`${node.name} is down`);
    for (const [group, { handle, shadow }] of node.groups) {
      const { role, term, commit, applied, lastIndex, configuration, impostors } = handle.status;
      const members = `voters ${configuration.voters.join(",")} outgoing ${configuration.outgoing.join(",")} learners ${configuration.learners.join(",")}`;
      const place = `term ${term} commit ${commit} applied ${applied} last ${lastIndex}`;
      const odd = impostors.length > 0 ? ` impostors ${impostors.join(",")}` : "";
      lines.push(`${node.name} g${group} replica ${shadow.id}: ${role} ${place} ${members}${odd}`);
    }
  }
  const open = sim.clients.filter((client) => !client.settled).map((client) => client.id);
  lines.push(`clients that wait: ${open.join(" ")}; ${sim.clients.map(String).join(", ")}`);
  return lines.join("\n    ");
}

function resultOf(seed: number, sim: Simulation): RunResult {
  const { counts, network, nemesis, operator, failure } = sim;
  const sums = { elections: 0, commits: 0, configurations: 0 };
  for (let group = 0; group < sim.plan.groups; group++) {
    const own = sim.invariants(group).counts;
    sums.elections += own.elections;
    sums.commits += own.commits;
    sums.configurations += own.configurations;
  }
  const diskErrors = sim.nodes.reduce((sum, node) => sum + node.disk.injected, 0);
  return {
    seed,
    failure:
      failure === undefined
        ? undefined
        : { invariant: failure.invariant, message: failure.message },
    hash: sim.digest(),
    counts: {
      ...counts,
      ...sums,
      operations: sim.history.operations,
      changes: operator.counts.changes,
      transfers: operator.counts.transfers,
      batches: network.counts.sent,
      "batches lost": network.counts.lost,
      "batches duplicated": network.counts.duplicated,
      "connections broken": network.counts.broken,
      "disk errors": diskErrors,
    },
    faults: Object.fromEntries(nemesis.counts),
    simulated: sim.scheduler.now,
    lines: sim.journal.lines,
  };
}
