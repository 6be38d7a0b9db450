import { expect, test } from "vitest";
import { change, type MakeHarness, useBench } from "./harness.ts";

export function receiptTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);
  const add = (session: number, key: number) => ({ session, key, add: true });
  const drop = (session: number, key: number) => ({ session, key, add: false });
  const bigSession = 2 ** 52 + 1;
  const willKey = 65_536 + 2 ** 21;

  test("receipts are kept by session and key", async () => {
    const shard = await bench().shard();
    await shard.append(change({ receipts: [add(1, 65_535), add(1, 2), add(bigSession, willKey)] }));
    expect(await shard.receipts(1)).toEqual([2, 65_535]);
    expect(await shard.receipts(bigSession)).toEqual([willKey]);
    expect(await shard.receipts(3)).toEqual([]);
    expect(shard.hasReceipt(1, 2)).toBe(true);
    expect(shard.hasReceipt(1, 3)).toBe(false);
    expect(shard.hasReceipt(2, 2)).toBe(false);
    expect([...(await shard.receiptSessions())].sort((a, b) => a - b)).toEqual([1, bigSession]);
  });

  test("changes of one append are applied in order; adding or removing twice is harmless", async () => {
    const shard = await bench().shard();
    await shard.append(change({ receipts: [add(1, 1), add(1, 1), drop(1, 1), drop(1, 1)] }));
    expect(await shard.receipts(1)).toEqual([]);
    await shard.append(change({ receipts: [drop(1, 1), add(1, 1)] }));
    expect(await shard.receipts(1)).toEqual([1]);
    await shard.append(change({ receipts: [drop(1, 1)] }));
    expect(await shard.receiptSessions()).toEqual([]);
  });

  test("an ended session's receipts go", async () => {
    const shard = await bench().shard();
    await shard.append(change({ receipts: [add(1, 1), add(1, 2), add(2, 1)] }));
    await shard.append(change({ endedSessions: [1, 9] }));
    expect(await shard.receiptSessions()).toEqual([2]);
    expect(shard.hasReceipt(1, 2)).toBe(false);
  });

  test("a sender's last seq is what was appended last", async () => {
    const shard = await bench().shard();
    expect(shard.sender("g1")).toBeUndefined();
    await shard.append(change({ senders: [{ sender: "g1", term: 0, seq: 3 }] }));
    await shard.append(
      change({
        senders: [
          { sender: "g1", term: 0, seq: 4 },
          { sender: "s1", term: 7, seq: 1 },
        ],
      }),
    );
    expect(shard.sender("g1")).toEqual({ sender: "g1", term: 0, seq: 4 });
    expect(shard.sender("s1")).toEqual({ sender: "s1", term: 7, seq: 1 });
  });

  test("a sender whose seq is set to 0 is forgotten, also over a close and a crash", async () => {
    let shard = await bench().shard();
    const set = (sender: string, seq: number) => ({ sender, term: 0, seq });
    await shard.append(change({ senders: [set("g1", 3), set("g2", 4), set("g3", 5)] }));
    await bench().reopen();
    shard = await bench().shard();
    await shard.append(
      change({ senders: [set("g1", 0), set("g3", 0), set("g3", 1), set("g9", 0)] }),
    );
    for (const again of ["crash", "reopen"] as const) {
      expect(shard.sender("g1")).toBeUndefined();
      const all = [...shard.senders()].sort((a, b) => a.sender.localeCompare(b.sender));
      expect(all).toEqual([set("g2", 4), set("g3", 1)]);
      await bench()[again]();
      shard = await bench().shard();
    }
  });

  test("progress is what was appended last; an empty value removes it", async () => {
    const shard = await bench().shard();
    const set = (value: string) =>
      shard.append(change({ progress: new Map([["q", Buffer.from(value)]]) }));
    expect(await shard.progress("q")).toBeUndefined();
    await set("one");
    await set("two");
    expect(Buffer.from((await shard.progress("q")) ?? [])).toEqual(Buffer.from("two"));
    await set("");
    expect(await shard.progress("q")).toBeUndefined();
  });

  test("receipts, senders and progress are there after a close and after a crash", async () => {
    let shard = await bench().shard();
    await shard.append(
      change({
        receipts: [add(1, 1), add(bigSession, willKey)],
        senders: [{ sender: "g1", term: 2, seq: 2 ** 40 }],
        progress: new Map([["q", Buffer.of(0, 255, 1)]]),
      }),
    );
    for (const again of ["reopen", "crash"] as const) {
      await bench()[again]();
      shard = await bench().shard();
      expect(await shard.receipts(1)).toEqual([1]);
      expect(shard.hasReceipt(bigSession, willKey)).toBe(true);
      expect(shard.sender("g1")).toEqual({ sender: "g1", term: 2, seq: 2 ** 40 });
      expect(Buffer.from((await shard.progress("q")) ?? [])).toEqual(Buffer.of(0, 255, 1));
    }
  });
}
