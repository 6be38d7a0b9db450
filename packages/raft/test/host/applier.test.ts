import { expect, test } from "vitest";
import { Applier } from "../../src/host/applier.ts";
import { encodeCommand } from "../../src/host/command.ts";
import { ReplicatedMachine } from "../../src/host/machine.ts";
import { Proposals } from "../../src/host/proposals.ts";
import { EntryKind } from "../../src/index.ts";
import { Rig } from "../paper/rig.ts";
import { ListMachine } from "./list-machine.ts";

const LAST = 101;

test("what waited for its turn when a snapshot was installed is not applied again on top of it", () => {
  const rig = new Rig({
    terms: Array<number>(LAST - 1).fill(1),
    hardState: { commit: LAST },
    options: { maxApplyingBytes: 2 ** 20 },
  });
  const machine = new ListMachine();
  const applier = new Applier({
    core: rig.core,
    machine: new ReplicatedMachine(machine),
    proposals: new Proposals({ maxProposals: 1, maxProposalBytes: 1 }),
    onConfiguration: () => {},
  });
  const entries = rig.core.ready()?.committed.map(({ index, term }) => {
    return {
      index,
      term,
      kind: EntryKind.Command,
      data: encodeCommand(Buffer.from(`${index}`), undefined),
    };
  });
  applier.push(entries ?? []);
  applier.slice(() => true);
  const first = machine.lines.length;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(50);
  applier.pause();
  expect(applier.ready).toBe(false);
  machine.lines = ["the snapshot"];
  applier.resume(60);
  while (applier.ready) applier.slice(() => false);
  const behind = Array.from({ length: LAST - 60 }, (_, i) => `${61 + i}`);
  expect(machine.lines).toEqual(["the snapshot", ...behind]);
  expect(applier.idle).toBe(true);
});
