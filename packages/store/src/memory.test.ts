import { expect, test } from "vitest";
import { appendOf, storeContract } from "./contract.ts";
import { MemoryDisk, MemoryStore } from "./memory.ts";

storeContract("memory", async () => {
  const disk = new MemoryDisk();
  return {
    open: async () => new MemoryStore(disk),
    crash: async () => {},
    destroy: async () => {},
  };
});

test("an injected fault fails appends and opens until it is taken away", async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStore(disk);
  const shard = await store.open(0, 1);
  const append = appendOf(2 ** 32 + 1, [{ body: "x", queues: ["q"] }]);
  disk.fault = "full";
  await expect(shard.append(append)).rejects.toMatchObject({ code: "full" });
  await expect(store.open(0, 2)).rejects.toMatchObject({ code: "full" });
  disk.fault = undefined;
  await shard.append(append);
  expect(await shard.stats(["q"])).toMatchObject([{ messages: 1 }]);
});

test("a gate holds appends back until it opens", async () => {
  const disk = new MemoryDisk();
  const shard = await new MemoryStore(disk).open(0, 1);
  const gate = Promise.withResolvers<void>();
  disk.gate = gate.promise;
  const appending = shard.append(appendOf(2 ** 32 + 1, [{ body: "x", queues: ["q"] }]));
  await new Promise(setImmediate);
  expect(shard.head).toBe(0);
  gate.resolve();
  await appending;
  expect(shard.head).toBe(2 ** 32 + 1);
});

test("every body is among bytes that mean nothing", async () => {
  const shard = await new MemoryStore().open(0, 1);
  await shard.append(appendOf(2 ** 32 + 1, [{ body: "x", queues: ["q"] }]));
  const { messages } = await shard.read([{ queue: "q", after: 0 }], { messages: 1, bytes: 1 });
  const [{ bytes, start, end } = { bytes: Buffer.of(), start: 0, end: 0 }] = messages;
  expect(start).toBeGreaterThan(0);
  expect(bytes.length).toBeGreaterThan(end);
  expect(bytes.toString("latin1", start, end)).toBe("x");
});
