/**
 * Real processes, real disks, real sockets: Raft over gRPC under kill -9, and under a leader that
 * stands still. What clients asked for and were told must be what one copy could have said.
 */
import { seededRandom } from "@canopy/base";
import { tempDir, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { History } from "../../../raft/sim/history.ts";
import { asSessionError } from "../../src/index.ts";
import { Client, GROUP, KEYS } from "./client.ts";
import type { State } from "./machine.ts";
import { Nodes } from "./nodes.ts";

const CLIENTS = 6;

class Load {
  readonly nodes: Nodes;
  readonly history = new History();
  readonly #clients: readonly Client[];
  readonly #running: readonly Promise<void>[];

  constructor(nodes: Nodes) {
    this.nodes = nodes;
    const random = seededRandom(5);
    this.#clients = Array.from(
      { length: CLIENTS },
      (_, i) => new Client(i + 1, nodes, this.history, random),
    );
    this.#running = this.#clients.map((client) => client.run());
  }

  /** Settles when so many more requests have been answered for good. */
  async answered(more: number): Promise<void> {
    const total = (): number => this.#clients.reduce((sum, one) => sum + one.acknowledged, 0);
    const goal = total() + more;
    await waitFor(() => total() >= goal, { what: `${more} answers` });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.stop();
    await Promise.all(this.#running);
  }
}

async function started(): Promise<Nodes> {
  const nodes = new Nodes(await tempDir());
  await nodes.start();
  await nodes.leader();
  return nodes;
}

/** Reads everything once more, compares the nodes, and judges the history. */
async function expectOneCopy({ nodes, history }: Load): Promise<void> {
  const leader = await nodes.leader();
  for (let key = 0; key < KEYS; key++) {
    const registers = history.now();
    history.read(GROUP, key, registers, await nodes.ask<number>(leader, { kind: "read", key }));
    const lists = history.now();
    history.list(GROUP, key, lists, await nodes.ask<number[]>(leader, { kind: "list", key }));
  }
  const dump = (name: string): Promise<State> => nodes.ask<State>(name, { kind: "dump" });
  await waitFor(async () => {
    const [first, ...others] = await Promise.all(nodes.names.map(dump));
    for (const other of others) expect(other).toEqual(first);
    return true;
  });
  history.check();
  expect(history.operations).toBeGreaterThan(500);
}

/**
 * Asks a leader that stands still, and was replaced, to write and to read, and lets it go on: it has
 * both in its socket then, and still believes that it leads. A read may be answered, but not with
 * what was there before.
 */
async function expectRefused({ nodes, history }: Load, leader: string, value: number) {
  const command = { kind: "write", key: 0, value } as const;
  const write = nodes.ask(leader, { kind: "propose", command }, 20_000);
  const called = history.now();
  const read = nodes.ask<number>(leader, { kind: "read", key: 0 }, 20_000).then(
    (found) => history.read(GROUP, 0, called, found),
    () => {},
  );
  const answer = write.then(String, (error: unknown) => asSessionError(error).code);
  nodes.signal(leader, "SIGCONT");
  // Had it been done nevertheless, the history would have a value that nobody wrote.
  expect(["not-leader", "unavailable", "indeterminate"]).toContain(await answer);
  await read;
}

test("kill -9 of the leader, again and again: another leads, and nothing acknowledged is lost", async () => {
  const nodes = await started();
  const load = new Load(nodes);
  await load.answered(200);
  for (let round = 0; round < 3; round++) {
    const leader = await nodes.leader();
    await nodes.kill(leader);
    await load.answered(200);
    await nodes.start([leader]);
    await load.answered(100);
  }
  await load.stop();
  await expectOneCopy(load);
});

test("a leader that stands still is replaced, and what it is asked for then is refused", async () => {
  const nodes = await started();
  const load = new Load(nodes);
  await load.answered(200);
  for (let round = 0; round < 2; round++) {
    const leader = await nodes.leader();
    nodes.signal(leader, "SIGSTOP");
    await nodes.leader([leader]);
    await load.answered(100);
    await expectRefused(load, leader, 99_000_000 + round);
    await load.answered(200);
  }
  await load.stop();
  await expectOneCopy(load);
});

test("kill -9 of all at once: they go on where they were", async () => {
  const nodes = await started();
  const load = new Load(nodes);
  for (let round = 0; round < 2; round++) {
    await load.answered(200);
    await Promise.all(nodes.names.map((name) => nodes.kill(name)));
    await nodes.start();
  }
  await load.answered(200);
  await load.stop();
  await expectOneCopy(load);
});
