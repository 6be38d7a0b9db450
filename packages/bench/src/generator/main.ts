/** A generator process: does what its parent asks over IPC, and ends with it. */
import { Bulk } from "./bulk.ts";
import type { Answer, Handlers, Question } from "./commands.ts";
import { ownCpu } from "./load.ts";
import { LoadRun } from "./run-load.ts";
import { Turn } from "./turn.ts";

const turn = new Turn();
const bulk = new Bulk(turn);
let current: LoadRun | undefined;

function run(): LoadRun {
  if (current === undefined) throw new Error("no load has been prepared");
  return current;
}

const handlers: Handlers = {
  prepare: async (spec) => {
    current = await LoadRun.prepare(spec, turn);
    return null;
  },
  start: async () => {
    run().start();
    return null;
  },
  mark: async () => run().mark(),
  beginWindow: async () => run().beginWindow(),
  endWindow: async () => run().endWindow(),
  stop: async () => {
    run().stop();
    return null;
  },
  answered: async () => run().answered(),
  closeSubscribers: async () => {
    await run().closeSubscribers();
    return null;
  },
  reopenSubscribers: async () => {
    await run().reopenSubscribers();
    return null;
  },
  drain: async (limits) => run().drain(limits),
  end: async () => {
    await run().end();
    current = undefined;
    return null;
  },
  connect: async (spec) => bulk.connect(spec),
  fill: async (spec) => bulk.fill(spec),
  cpu: async () => ownCpu(),
  closeAll: async () => {
    await bulk.closeAll();
    return null;
  },
  publish: async (spec) => bulk.publish(spec),
  collect: async (spec) => bulk.collect(spec),
};

async function answer({ id, command, ask }: Question): Promise<Answer> {
  try {
    const handler = handlers[command] as (ask: unknown) => Promise<unknown>;
    return { id, answer: await handler(ask) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", (question) => {
  void answer(question as Question).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit());
