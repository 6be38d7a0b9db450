import { silentLogger } from "@canopy/base";
import { type Command, encodeCommand, noEffects } from "@canopy/session";
import { expect, test } from "vitest";
import { openRequest } from "../test/harness.ts";
import { Replica } from "./replica.ts";

const PLACEMENT = { shards: 4, groups: 2, group: 1 };

function replica(placement = PLACEMENT): Replica {
  return new Replica(placement, silentLogger, () => {});
}

function members(version: number, gatewaysUp: number[], gatewaysGone: number[]): Command {
  const nothing = { storesUp: [], storesDown: [] };
  return { type: "members", at: 0, version, gatewaysUp, gatewaysGone, ...nothing };
}

test("what follows from a command is told while it leads, and not any more when it follows", () => {
  const one = replica();
  const released: string[] = [];
  const apply = (command: Command) => one.apply(encodeCommand(command));
  const connectAndLeave = (gateway: number, clientId: string): void => {
    apply(members(gateway, [gateway], []));
    apply({ type: "open", at: 0, request: openRequest(gateway, { clientId }) });
    const incarnation = one.state.sessionOf(clientId)?.incarnation;
    expect(incarnation).toBeDefined();
    apply({ type: "gateway-down", at: 0, gateway, sessions: [incarnation as number] });
    expect(one.state.sessionOf(clientId)?.gateway).toBe(0);
  };
  connectAndLeave(1, "before");
  one.lead({ ...noEffects, released: (clientId) => released.push(clientId) });
  connectAndLeave(2, "leading");
  one.follow();
  connectAndLeave(3, "behind");
  expect(released).toEqual(["leading"]);
});

test("a snapshot that was made for other shards, groups or another group is refused", () => {
  const chunks = [...replica().snapshot()];
  const restore = (placement: typeof PLACEMENT): void => {
    const sink = replica(placement).restore();
    for (const chunk of chunks) sink.push(chunk);
    sink.finish();
  };
  expect(() => restore(PLACEMENT)).not.toThrow();
  expect(() => restore({ ...PLACEMENT, shards: 8 })).toThrow("made for shards=4, not 8");
  expect(() => restore({ ...PLACEMENT, groups: 3 })).toThrow("made for groups=2, not 3");
  expect(() => restore({ ...PLACEMENT, group: 2 })).toThrow("made for group=1, not 2");
});
