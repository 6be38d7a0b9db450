/** Real processes over TCP and a real disk: nothing acknowledged is lost, nothing is applied twice. */
import { tempDir } from "@canopy/testkit";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type NodeProcess, Nodes } from "../../bench/nodes.ts";
import type { Answer } from "../../src/host/port.ts";

vi.setConfig({ testTimeout: 60_000 });

const OPTIONS = { machine: "lines", tick: 40, snapshotEvery: 40_000, keepTail: 10_000 } as const;

/** One who proposes line after line, by origin, and tries each again until it is answered for good. */
class Client {
  readonly id: number;
  acknowledged = 0;
  stopped = false;
  readonly #nodes: Nodes;
  #at = 0;

  constructor(nodes: Nodes, id: number) {
    this.#nodes = nodes;
    this.id = id;
  }

  line(sequence: number): string {
    return `${this.id}:${sequence} ${"x".repeat(60)}`;
  }

  async run(): Promise<void> {
    while (!this.stopped) {
      const answer = await this.#propose(this.acknowledged + 1);
      if (answer === "committed" || answer === "repeated") this.acknowledged++;
      else await this.#turn();
    }
  }

  async #propose(sequence: number): Promise<Answer["type"]> {
    const origin = { client: this.id, sequence };
    const given = { group: 0, text: this.line(sequence), origin };
    const node = this.#nodes.all[this.#at] as NodeProcess;
    // A process that stands still answers late: that is one of the things to be survived.
    const answer = await Promise.race([
      node.call<Answer>("propose", given).catch(() => undefined),
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 3_000)),
    ]);
    return answer?.type ?? "unavailable";
  }

  #turn(): Promise<void> {
    this.#at = (this.#at + 1) % this.#nodes.all.length;
    return new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function started(): Promise<Nodes> {
  const nodes = new Nodes(await tempDir(), OPTIONS);
  onTestFinished(() => nodes.kill());
  await nodes.start();
  await nodes.open(1);
  return nodes;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function leaderOf(nodes: Nodes): Promise<NodeProcess> {
  let leader: NodeProcess | undefined;
  await until(async () => (leader = await nodes.leader(0)) !== undefined, "a leader");
  return leader!;
}

/** All have the same lines, each client's in order and none twice, and all that was acknowledged. */
async function check(nodes: Nodes, clients: readonly Client[]): Promise<void> {
  const linesOf = (node: NodeProcess) => node.call<string[]>("lines", 0);
  await until(async () => {
    const [first, ...others] = await Promise.all(nodes.all.map(linesOf));
    return others.every((lines) => lines.length === first!.length);
  }, "all to have as much");
  const [first, ...others] = await Promise.all(nodes.all.map(linesOf));
  for (const lines of others) expect(lines).toEqual(first);
  for (const client of clients) {
    const own = first!.filter((line) => line.startsWith(`${client.id}:`));
    expect(own).toEqual(own.map((_, i) => client.line(i + 1)));
    expect(own.length).toBeGreaterThanOrEqual(client.acknowledged);
    expect(own.length).toBeLessThanOrEqual(client.acknowledged + 1);
  }
}

async function expectWholeAfter(
  nodes: Nodes,
  disturb: (acknowledged: (more: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const clients = Array.from({ length: 8 }, (_, i) => new Client(nodes, i + 1));
  const running = clients.map((client) => client.run());
  const total = () => clients.reduce((sum, client) => sum + client.acknowledged, 0);
  const acknowledged = (more: number) => {
    const goal = total() + more;
    return until(() => total() >= goal, `${more} acknowledgements`);
  };
  try {
    await acknowledged(100);
    await disturb(acknowledged);
    await acknowledged(100);
  } finally {
    for (const client of clients) client.stopped = true;
    await Promise.all(running);
  }
  await check(nodes, clients);
}

describe("three processes under load", () => {
  test("survive kill -9 of the leader, again and again", async () => {
    const nodes = await started();
    await expectWholeAfter(nodes, async (acknowledged) => {
      for (let round = 0; round < 3; round++) {
        const leader = await leaderOf(nodes);
        await leader.kill("SIGKILL");
        await acknowledged(300);
        await leader.start();
        await nodes.introduce();
        await nodes.open(1, [leader]);
        await acknowledged(100);
      }
    });
  });

  test("survive that the leader stands still and goes on", async () => {
    const nodes = await started();
    await expectWholeAfter(nodes, async (acknowledged) => {
      for (let round = 0; round < 2; round++) {
        const leader = await leaderOf(nodes);
        leader.signal("SIGSTOP");
        await acknowledged(200);
        leader.signal("SIGCONT");
        await acknowledged(100);
      }
    });
  });

  test("survive kill -9 of all of them at once", async () => {
    const nodes = await started();
    await expectWholeAfter(nodes, async () => {
      await nodes.kill();
      await nodes.start();
      await nodes.open(1);
    });
  });
});
