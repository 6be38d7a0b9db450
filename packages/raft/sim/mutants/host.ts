/** Bugs in what the host makes of the core's word. */
import type { Mutant } from "./mutant.ts";

export const hostMutants: readonly Mutant[] = [
  {
    name: "a command that was applied is applied again",
    file: "host/machine.ts",
    find: 'if (sequence <= last) return { type: "repeated" };',
    replace: "",
  },
  {
    name: "a command is applied before the one before it",
    file: "host/machine.ts",
    find: 'if (sequence > last + 1) return { type: "gap", last };',
    replace: "",
  },
  {
    name: "a snapshot does not bring the table of sequences",
    file: "host/machine.ts",
    find: "this.#origins.replace(reader.table);",
    replace: "this.#origins.replace(new Map());",
  },
  {
    name: "a snapshot forgets that the configuration is joint",
    file: "host/snapshotter.ts",
    find: "configuration: core.configuration };",
    replace: "configuration: { ...core.configuration, outgoing: [], autoLeave: false } };",
  },
  {
    name: "a snapshot holds more than its index says",
    file: "host/snapshotter.ts",
    find: "const index = core.applied;",
    replace: "const index = core.applied - 1;",
  },
  {
    name: "the log is compacted before the snapshot is on the disk",
    file: "host/snapshotter.ts",
    find: "    const chunks = machine.snapshot();\n",
    replace:
      "    const chunks = machine.snapshot();\n" +
      "    core.snapshotTaken(meta);\n    this.#compact(covered, index);\n",
  },
  {
    name: "a read is answered before its index is applied",
    file: "host/reads.ts",
    find: "const ready = this.#confirmed.filter(({ index }) => index <= applied);",
    replace: "const ready = [...this.#confirmed];",
  },
  {
    name: "the end of leadership is told as if nothing had been taken",
    file: "host/proposals.ts",
    find: 'this.#end(last, { type: "indeterminate" });',
    replace: 'this.#end(last, { type: "overloaded" });',
  },
  {
    name: "a replica that lost its disk is taken for the old one",
    file: "host/peers.ts",
    find: "if (known !== undefined && known.disk !== disk) {",
    replace: "if (known !== undefined && known.disk !== disk && disk === 0) {",
    // The one that makes a difference is a voter that was added later, and a leader that goes before it
    // is replaced: the first voters do not begin again, and who is told its old disk stops by itself.
    aim: {
      nodes: 5,
      voters: 3,
      groups: 1,
      duration: 2_500,
      tick: 5,
      electionTicks: 5,
      heartbeatTicks: 1,
      faults: new Map([
        ["wipe", 1],
        ["isolateLeader", 2],
        ["crashLeader", 1],
        ["diverge", 1],
      ]),
      faultEvery: 15,
      faultLasts: 60,
      moments: new Map(),
      network: { delay: 1, loss: 0, duplicate: 0, breaks: 0, refuse: 0, disorder: false },
      changeEvery: 150,
    },
  },
  {
    name: "the first members do not wait until all agree",
    file: "host/founding.ts",
    find: "if (this.#agreed.size === this.#voters.size - 1)",
    replace: "if (this.#agreed.size > 0)",
  },
  {
    name: "the first members begin when they have met, without agreement",
    file: "host/founding.ts",
    find: "    this.#known = members;\n",
    replace: "    this.#known = members;\n    if (this.#isWhole) this.#done.resolve(members);\n",
  },
  {
    name: "the first members agree who they are, and not on which disks",
    file: "host/founding.ts",
    find: "return [...some].every(([id, { disk }]) => (others.get(id)?.disk ?? disk) === disk);",
    replace: "return some.size + others.size > 0;",
  },
  {
    name: "two snapshots are installed at the same time",
    file: "host/installer.ts",
    find: "const installing = this.#last.then(() => this.#install(meta));",
    replace: "const installing = this.#install(meta);",
  },
  {
    name: "a replica goes as soon as its removal is applied",
    file: "host/farewell.ts",
    find: "if (this.#toldAt === undefined) return false;",
    replace: "if (this.#asksAt !== undefined) return true;",
  },
  {
    name: "who was removed is not told when it asks for votes",
    file: "host/reception.ts",
    find: "if (asksForVote && wasRemoved(core.configuration, message.from)) {",
    replace:
      "if (asksForVote && wasRemoved(core.configuration, message.from) && message.to === 0) {",
  },
  {
    name: "answers are sent before the write they speak of",
    file: "host/group.ts",
    find: "if (write === 0) for (const message of afterWrite)",
    replace: "for (const message of afterWrite)",
  },
];
