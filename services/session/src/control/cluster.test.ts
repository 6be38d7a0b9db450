/** Three nodes: changes of the leader, with leases and watches under way. */
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import {
  ControlCluster,
  type ControlNode,
  gateway,
  LEASE,
  Seen,
  session,
  store,
} from "../../test/control.ts";

const quiet = { ended: () => {} };

function renew({ control, service }: ControlNode, incarnation: number): Promise<void> {
  return control.renew({ incarnation, acknowledged: service.view.version });
}

describe("three nodes", () => {
  test("have one leader, who is asked; the others name it", async () => {
    const cluster = await ControlCluster.start(3);
    const leader = await cluster.leader();
    const { incarnation } = await leader.control.join(gateway("g"));
    for (const { control, service } of cluster.others(leader)) {
      await waitFor(() => service.view.member(incarnation) !== undefined);
      for (const asked of [
        () => control.join(gateway("h")),
        () => control.renew({ incarnation, acknowledged: 1 }),
        () => control.leave(incarnation),
        () => control.reopen(1, 1),
        () => control.ban({ kind: "user", value: "u", reason: "", until: 0 }),
        () => control.unban("user", "u"),
        () => control.announce(session("n")),
        () => control.wish({ name: "n", wish: "add" }),
        () => control.inForce(1),
      ]) {
        await expect(asked()).rejects.toMatchObject({ code: "not-leader", leader: leader.name });
      }
      const ended: string[] = [];
      control.attend(incarnation, { ended: ({ leader: name }) => ended.push(name ?? "") });
      await waitFor(() => ended.length === 1);
      expect(ended).toEqual([leader.name]);
    }
  });

  test("a new leader gives everybody a full term before it ends anybody, by either rule", async () => {
    const cluster = await ControlCluster.start(3);
    const first = await cluster.leader();
    const { incarnation: g } = await first.control.join(gateway("g"));
    const { incarnation: silent } = await first.control.join(gateway("silent"));
    await cluster.pass(LEASE - 200, () => renew(first, g));
    const ended: string[] = [];
    first.control.attend(g, { ended: ({ code }) => ended.push(code) });
    await cluster.kill(first);
    const second = await cluster.leader();
    const { view } = second.service;
    expect(view.member(silent)?.name).toBe("silent");
    const stream = second.control.attend(g, quiet);
    stream.close();
    await cluster.pass(LEASE - 100);
    expect(view.gateways()).toHaveLength(2);
    expect(ended).toEqual(["closed"]);
    const again = second.control.attend(g, quiet);
    await renew(second, g);
    await cluster.pass(100);
    await waitFor(() => view.member(silent) === undefined);
    expect(view.member(g)?.name).toBe("g");
    again.close();
    await cluster.pass(500);
    await waitFor(() => view.member(g) === undefined);
  });

  test("a leader that was deposed without noticing renews nothing, and ends nobody", async () => {
    const cluster = await ControlCluster.start(3);
    const first = await cluster.leader();
    const { incarnation: g } = await first.control.join(gateway("g"));
    cluster.network.cutOff.add(first.name);
    expect(first.service.leading).toBe(true);
    const answer = renew(first, g).then(
      () => "renewed",
      (error: { code: string }) => error.code,
    );
    await cluster.pass(LEASE);
    const second = await cluster.leader();
    await renew(second, g);
    expect(["not-leader", "unavailable"]).toContain(await answer);
    await waitFor(() => !first.service.leading);
    cluster.network.cutOff.clear();
    await waitFor(() => first.service.view.version === second.service.view.version);
    expect(first.service.view.member(g)?.name).toBe("g");
  });

  test("a watch goes on at another node where it ended at one that is gone", async () => {
    const cluster = await ControlCluster.start(3);
    const leader = await cluster.leader();
    const [one, other] = cluster.others(leader) as [ControlNode, ControlNode];
    const seen = new Seen();
    one.control.watch(0, seen);
    await leader.control.join(gateway("g"));
    await waitFor(() => seen.view.version === leader.service.view.version);
    await cluster.kill(one);
    expect(seen.error).toMatchObject({ code: "closed" });
    await leader.control.join(gateway("h"));
    await leader.control.ban({ kind: "client", value: "c", reason: "", until: 0 });
    other.control.watch(seen.view.version, seen);
    await waitFor(() => seen.view.version === leader.service.view.version);
    expect(seen.wholes).toHaveLength(1);
    // the founders may have come in before the watch began, or behind that
    const types = seen.heard.map(({ change }) => change.type).filter((type) => type !== "node");
    expect(types).toEqual(["member-up", "member-up", "banned"]);
    expect(seen.view.whole()).toEqual(leader.service.view.whole());
  });

  test("the next leader ends both steps that the last one began", async () => {
    const cluster = await ControlCluster.start(3);
    const first = await cluster.leader();
    const { incarnation: g } = await first.control.join(gateway("g"));
    const { incarnation: s } = await first.control.join(store("s"));
    await first.control.leave(g);
    await cluster.kill(first);
    const second = await cluster.leader();
    expect(second.service.view.isDown(g)).toBe(true);
    await renew(second, s);
    await waitFor(() => !second.service.view.isDown(g));
  });

  test("who misses most gateways lets another lead; when that one does too, they are ended", async () => {
    const cluster = await ControlCluster.start(3);
    const first = await cluster.leader();
    const gateways = await Promise.all(
      ["g1", "g2", "g3"].map(async (name) => first.control.join(gateway(name))),
    );
    const [g1, , g3] = gateways.map(({ incarnation }) => incarnation) as [number, number, number];
    const streams = gateways.map(({ incarnation }) => first.control.attend(incarnation, quiet));
    await cluster.pass(LEASE, () =>
      Promise.all(gateways.map(({ incarnation }) => renew(first, incarnation))),
    );
    for (const stream of streams.slice(0, 2)) stream.close();
    await cluster.pass(400, () => renew(first, g3));
    await cluster.pass(100);
    await waitFor(() => !first.service.leading);
    const second = await cluster.leader();
    expect(second).not.toBe(first);
    expect(second.service.view.gateways()).toHaveLength(3);
    // It hears of them, so that was it.
    await cluster.pass(2 * LEASE, () =>
      Promise.all(gateways.map(({ incarnation }) => renew(second, incarnation))),
    );
    expect(second.service.leading).toBe(true);
    expect(second.service.view.gateways()).toHaveLength(3);
    // Nobody hears of two of them: in the end they are ended, not handed on for ever.
    const alone = async () => {
      const leader = cluster.nodes.find(({ service }) => service.leading);
      await leader?.control.renew({ incarnation: g3, acknowledged: 0 }).catch(() => {});
    };
    await waitFor(async () => {
      await cluster.pass(500, alone);
      return cluster.nodes.every(({ service }) => service.view.member(g1) === undefined);
    });
    expect((await cluster.leader()).service.view.gateways().map(({ name }) => name)).toEqual([
      "g3",
    ]);
  });
});
