import { expect, test } from "vitest";
import { storedBody } from "../port.ts";
import {
  ALL,
  allRetained,
  appendOf,
  bodies,
  type ContractOptions,
  firstOf,
  type MakeHarness,
  put,
  useBench,
} from "./harness.ts";

const MIB = 2 ** 20;

export function sizeTests(makeHarness: MakeHarness, options: ContractOptions): void {
  const bench = useBench(makeHarness);

  test("names of any characters and up to 65,535 bytes", async () => {
    const names = ["\u0000", "a\u0000b", "ü€😀", "é", "e\u0301", " ", "/", "x".repeat(65_535)];
    names.push("€".repeat(21_845), "y".repeat(65_534));
    let shard = await bench().shard();
    await put(shard, ...names.map((name, i) => ({ body: `${i}`, queues: [name], retain: name })));
    for (let round = 0; round < 2; round++) {
      for (const [i, name] of names.entries()) {
        expect(await bodies(shard, name)).toEqual([`${i}`]);
        expect(shard.hasRetained(name)).toBe(true);
        expect((await allRetained(shard, name)).map(({ topic }) => topic)).toEqual([name]);
      }
      expect((await shard.stats()).map(({ queue }) => queue).sort()).toEqual(names.toSorted());
      await bench().reopen();
      shard = await bench().shard();
    }
  });

  test("bodies are bytes, not text", async () => {
    const body = Uint8Array.from({ length: 512 }, (_, i) => (i * 7) % 256);
    let shard = await bench().shard();
    await put(shard, { body, queues: ["q"], retain: "t" });
    for (let round = 0; round < 2; round++) {
      const { messages } = await shard.read([{ queue: "q", after: 0 }], ALL);
      expect(messages.map(storedBody)).toEqual([Buffer.from(body)]);
      const value = await shard.retainedValue("t");
      expect(Buffer.compare(value?.body ?? Buffer.of(), body)).toBe(0);
      await bench().reopen();
      shard = await bench().shard();
    }
  });

  const lengths = async (size: number) => {
    let shard = await bench().shard();
    const body = Buffer.alloc(size, "0123456789abcdef");
    body.writeUInt32BE(0xdeadbeef, size - 4);
    await put(shard, { body: "before", queues: ["q"] }, { body, queues: ["q"], retain: "t" });
    await put(shard, { body: "after", queues: ["q"] });
    const found: number[] = [];
    for (let round = 0; round < 2; round++) {
      const { messages } = await shard.read([{ queue: "q", after: 0 }], ALL);
      for (const message of messages) found.push(storedBody(message).length);
      const retained = await shard.retainedValue("t");
      for (const copy of [...messages.slice(1, 2).map(storedBody), retained?.body]) {
        if (copy === undefined || Buffer.compare(copy, body) !== 0) throw new Error("it changed");
      }
      await bench().reopen();
      shard = await bench().shard();
    }
    return found;
  };
  test("a message of several MiB", async () => {
    expect(await lengths(7 * MIB)).toEqual([6, 7 * MIB, 5, 6, 7 * MIB, 5]);
  }, 60_000);
  test.runIf(options.slow === true)(
    "a message of 256 MiB",
    async () => {
      expect(await lengths(256 * MIB)).toEqual([6, 256 * MIB, 5, 6, 256 * MIB, 5]);
    },
    300_000,
  );

  test("many queues", async () => {
    const count = options.queues ?? 100_000;
    let shard = await bench().shard();
    const perAppend = 2000;
    for (let i = 0; i < count; i += perAppend) {
      const drafts = Array.from({ length: Math.min(perAppend, count - i) }, (_, j) => ({
        body: `${i + j}`,
        queues: [`device/${i + j}/#`, "all"],
      }));
      await shard.append(appendOf(firstOf(shard), drafts));
    }
    for (let round = 0; round < 2; round++) {
      expect(await shard.stats()).toHaveLength(count + 1);
      expect((await shard.stats(["all"]))[0]?.messages).toBe(count);
      for (const i of [0, 1, Math.floor(count / 2), count - 1]) {
        expect(await bodies(shard, `device/${i}/#`)).toEqual([`${i}`]);
      }
      await bench().reopen();
      shard = await bench().shard();
    }
  }, 120_000);
}
