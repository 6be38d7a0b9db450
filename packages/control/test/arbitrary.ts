/** Random commands: any for the encoding, and likely ones for the state. */
import fc from "fast-check";
import type { Ban, Incarnation } from "../src/change.ts";
import type { Command } from "../src/commands.ts";
import type { NodeWish } from "../src/port.ts";
import type { ReadonlyView } from "../src/state.ts";

const NUMBER = fc.oneof(fc.nat(200), fc.maxSafeNat());
const TEXT = fc
  .oneof(fc.string({ maxLength: 8 }), fc.string({ unit: "grapheme", maxLength: 70 }))
  .filter((text) => text.isWellFormed());
const BAN_KIND = fc.constantFrom<Ban["kind"]>("client", "user", "address");
const WISH = fc.constantFrom<NodeWish["wish"]>("add", "remove", "replace", "drain", "resume");

/** Of the encoding: everything that its types allow. */
export const commandArbitrary: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: fc.constant("create" as const), shards: NUMBER, groups: NUMBER }),
  fc.record({
    type: fc.constant("join" as const),
    kind: fc.constantFrom("gateway" as const, "store" as const),
    name: TEXT,
    address: TEXT,
    disk: TEXT,
    token: TEXT,
  }),
  fc.record({
    type: fc.constantFrom("gateway-down" as const, "gateway-gone" as const, "store-down" as const),
    incarnation: NUMBER,
  }),
  fc.record({
    type: fc.constant("assign" as const),
    assignments: fc.array(fc.record({ shard: NUMBER, owner: NUMBER, epoch: NUMBER })),
  }),
  fc.record({ type: fc.constant("reopen" as const), incarnation: NUMBER, shard: NUMBER }),
  fc.record({
    type: fc.constant("ban" as const),
    ban: fc.record({ kind: BAN_KIND, value: TEXT, reason: TEXT, until: NUMBER }),
    wall: NUMBER,
  }),
  fc.record({ type: fc.constant("unban" as const), kind: BAN_KIND, value: TEXT }),
  fc.record({
    type: fc.constant("founders" as const),
    founders: fc.array(fc.record({ name: TEXT, disk: NUMBER, replica: NUMBER })),
  }),
  fc.record({
    type: fc.constant("node" as const),
    name: TEXT,
    address: TEXT,
    disk: NUMBER,
    replica: NUMBER,
  }),
  fc.record({ type: fc.constant("node-wish" as const), name: TEXT, wish: WISH }),
  fc.record({ type: fc.constant("node-left" as const), name: TEXT, replica: NUMBER }),
);

const SHARDS = 5;

/** Numbers that a step's command is made of. */
export type Step = readonly number[];

const step: fc.Arbitrary<Step> = fc.array(fc.nat(2 ** 20), { minLength: 8, maxLength: 8 });

export const scripts: fc.Arbitrary<readonly Step[]> = fc.array(step, {
  minLength: 1,
  maxLength: 80,
  size: "max",
});

/** Likely in this state: names, disks and incarnations meet. */
export function likelyCommand(view: ReadonlyView, step: Step): Command {
  const [kind = 0, a = 0, b = 0, c = 0] = step;
  const live = [...view.members()].map(({ incarnation }) => incarnation);
  const down = [...view.down()].map(({ incarnation }) => incarnation);
  const pick = (from: readonly Incarnation[]): Incarnation =>
    from[b % (from.length + 1)] ?? b % 100;
  const chance = kind % 100;
  if (view.shards === 0 && chance < 70) return { type: "create", shards: SHARDS, groups: 2 };
  if (chance < 20) return joinCommand(a, b, c);
  if (chance < 30) return { type: "gateway-down", incarnation: pick(live) };
  if (chance < 38) return { type: "gateway-gone", incarnation: pick(down) };
  if (chance < 46) return { type: "store-down", incarnation: pick(live) };
  if (chance < 70) return assignCommand(view, step);
  if (chance < 76) return { type: "reopen", incarnation: pick(live), shard: a % (SHARDS + 1) };
  if (chance < 84) return banCommand(a, b, c);
  if (chance < 98) return nodeCommand(view, step);
  return { type: "create", shards: SHARDS + 1, groups: 9 };
}

function nodeCommand(view: ReadonlyView, [, a = 0, b = 0, c = 0]: Step): Command {
  const name = `n${a % 4}`;
  const entry = view.nodeEntry(name);
  const founders = [1, 2].map((replica) => ({ name: `n${replica}`, disk: replica, replica }));
  const wishes = ["add", "remove", "replace", "drain", "resume"] as const;
  switch (b % 4) {
    case 0:
      return { type: "founders", founders };
    case 1: {
      const disk = c % 3 === 0 ? (entry?.disk ?? 0) : 1 + (c % 5);
      const replica = c % 4 === 0 ? (entry?.replica ?? 0) : 0;
      return { type: "node", name, address: `${c % 3}`, disk, replica };
    }
    case 2:
      return { type: "node-wish", name, wish: wishes[c % 5] ?? "add" };
    default:
      return { type: "node-left", name, replica: entry?.replica ?? c % 9 };
  }
}

function joinCommand(a: number, b: number, c: number): Command {
  const isStore = a % 2 === 0;
  const disk = isStore && b % 3 > 0 ? `disk${b % 3}` : "";
  const kind = isStore ? "store" : "gateway";
  return { type: "join", kind, name: `name${c % 4}`, address: "", disk, token: `t${a % 40}` };
}

function assignCommand(view: ReadonlyView, step: Step): Command {
  const stores = view.stores();
  const assignments = step.slice(1, 1 + ((step[7] ?? 0) % 5)).map((number) => ({
    shard: number % (SHARDS + 1),
    owner: stores[number % (stores.length + 1)]?.incarnation ?? number % 50,
    epoch: view.place(number % (SHARDS + 1)).epoch + (number % 7 === 0 ? 1 : 0),
  }));
  return { type: "assign", assignments };
}

function banCommand(a: number, b: number, c: number): Command {
  const kind = a % 2 === 0 ? "client" : "user";
  const value = `v${b % 3}`;
  if (c % 3 === 0) return { type: "unban", kind, value };
  return { type: "ban", ban: { kind, value, reason: `${c % 2}`, until: c % 50 }, wall: a % 50 };
}
