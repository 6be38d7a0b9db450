import { expect, test } from "vitest";
import { storedBody } from "../port.ts";
import {
  ALL,
  appendOf,
  bodies,
  firstOf,
  type MakeHarness,
  outcome,
  put,
  text,
  texts,
  useBench,
} from "./harness.ts";

export function readTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);

  test("several queues are merged by offset, each message once, with the queues that hold it", async () => {
    const shard = await bench().shard();
    const first = await put(
      shard,
      { body: "0", queues: ["a", "b", "c"] },
      { body: "1", queues: ["b"] },
      { body: "2" },
      { body: "3", queues: ["c", "a"] },
    );
    const asked = ["c", "nobody", "a", "b"].map((queue) => ({ queue, after: 0 }));
    const result = await shard.read(asked, ALL);
    const found = result.messages.map((message) => {
      const { offset, queues } = message;
      return { offset, body: text(storedBody(message)), queues };
    });
    expect(found).toEqual([
      { offset: first, body: "0", queues: [0, 2, 3] },
      { offset: first + 1, body: "1", queues: [3] },
      { offset: first + 3, body: "3", queues: [0, 2] },
    ]);
    expect(result.upTo).toBe(first + 3);
    expect(result.limited).toBe(false);
  });

  test("each queue starts behind its own position", async () => {
    const shard = await bench().shard();
    const first = await put(
      shard,
      ...["0", "1", "2", "3"].map((body) => ({ body, queues: ["a", "b"] })),
    );
    const result = await shard.read(
      [
        { queue: "a", after: first + 1 },
        { queue: "b", after: first + 2 },
      ],
      ALL,
    );
    expect(texts(result)).toEqual(["2", "3"]);
    expect(result.messages.map(({ queues }) => queues)).toEqual([[0], [0, 1]]);
  });

  test("the same queue may be asked for twice", async () => {
    const shard = await bench().shard();
    const first = await put(shard, { body: "0", queues: ["a"] }, { body: "1", queues: ["a"] });
    const result = await shard.read(
      [
        { queue: "a", after: 0 },
        { queue: "a", after: first },
      ],
      ALL,
    );
    expect(result.messages.map(({ queues }) => queues)).toEqual([[0], [0, 1]]);
  });

  test("a read stops at the number of messages", async () => {
    const shard = await bench().shard();
    const first = await put(shard, ...["0", "1", "2"].map((body) => ({ body, queues: ["a"] })));
    const part = await shard.read([{ queue: "a", after: 0 }], { messages: 2, bytes: 1000 });
    expect(texts(part)).toEqual(["0", "1"]);
    expect(part).toMatchObject({ upTo: first + 1, limited: true });
    const rest = await shard.read([{ queue: "a", after: part.upTo }], { messages: 2, bytes: 1000 });
    expect(texts(rest)).toEqual(["2"]);
    expect(rest).toMatchObject({ upTo: first + 2, limited: false });
  });

  test("a read stops after the message that reaches the number of bytes", async () => {
    const shard = await bench().shard();
    const first = await put(
      shard,
      ...["aaaa", "bbbb", "cccc"].map((body) => ({ body, queues: ["q"] })),
    );
    const read = (bytes: number) => shard.read([{ queue: "q", after: 0 }], { messages: 9, bytes });
    expect(texts(await read(1))).toEqual(["aaaa"]);
    expect(texts(await read(4))).toEqual(["aaaa"]);
    expect(texts(await read(5))).toEqual(["aaaa", "bbbb"]);
    expect(await read(5)).toMatchObject({ upTo: first + 1, limited: true });
    expect(texts(await read(13))).toEqual(["aaaa", "bbbb", "cccc"]);
    expect((await read(13)).limited).toBe(false);
  });

  test("limits below 1 are refused", async () => {
    const shard = await bench().shard();
    const read = (messages: number, bytes: number) =>
      outcome(shard.read([{ queue: "q", after: 0 }], { messages, bytes }));
    expect(await read(0, 1)).toBe("invalid");
    expect(await read(1, 0)).toBe("invalid");
  });

  test("upTo is the head where nothing is left, also for queues without messages", async () => {
    const shard = await bench().shard();
    expect(await shard.read([{ queue: "a", after: 0 }], ALL)).toMatchObject({ upTo: 0 });
    await put(shard, { body: "x", queues: ["b"] }, { body: "y" });
    const result = await shard.read([{ queue: "a", after: 0 }], ALL);
    expect(result).toMatchObject({ messages: [], upTo: shard.head, limited: false });
    expect((await shard.read([], ALL)).upTo).toBe(shard.head);
  });

  test("what is on its way is returned when it is on disk, not before upTo says so", async () => {
    const shard = await bench().shard();
    const first = firstOf(shard);
    let position = 0;
    const seen: string[] = [];
    const writing = Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        shard.append(appendOf(first + i, [{ body: `${i}`, queues: ["q"] }])),
      ),
    );
    while (position < first + 99) {
      const result = await shard.read([{ queue: "q", after: position }], {
        messages: 7,
        bytes: 99,
      });
      seen.push(...texts(result));
      position = result.upTo;
      // A backend may answer without I/O: the writes need their turn.
      await new Promise(setImmediate);
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  test("trimming while reading leaves nothing out that was not trimmed", async () => {
    const shard = await bench().shard();
    const first = firstOf(shard);
    for (let i = 0; i < 30; i++) {
      await shard.append(
        appendOf(
          first + i * 10,
          Array.from({ length: 10 }, (_, j) => ({ body: `${i * 10 + j}`, queues: ["q", "r"] })),
        ),
      );
    }
    let position = 0;
    const seen: string[] = [];
    for (;;) {
      const reading = shard.read(
        [
          { queue: "q", after: position },
          { queue: "r", after: position },
        ],
        { messages: 17, bytes: 10_000 },
      );
      const trimming = shard.trim("q", position);
      const result = await reading;
      await trimming;
      seen.push(...texts(result));
      position = result.upTo;
      if (!result.limited) break;
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`));
    expect(await bodies(shard, "r")).toHaveLength(300);
  });

  test("a body is among other bytes: only start and end say where", async () => {
    const shard = await bench().shard();
    const wanted = ["one", "", "three"];
    await put(shard, ...wanted.map((body) => ({ body, queues: ["q"] })), { body: "other" });
    const { messages } = await shard.read([{ queue: "q", after: 0 }], ALL);
    const found = messages.map(({ bytes, start, end }) => bytes.toString("utf8", start, end));
    expect(found).toEqual(wanted);
    for (const { bytes, end } of messages) expect(bytes.length).toBeGreaterThanOrEqual(end);
    // Whoever takes what begins at 0 is to fail over every backend, also in a fast test.
    expect(messages.some(({ start }) => start > 0)).toBe(true);
    expect(messages.some(({ bytes, end }) => end < bytes.length)).toBe(true);
  });

  test("empty bodies are messages", async () => {
    const shard = await bench().shard();
    await put(shard, { body: "", queues: ["q"] }, { body: "", queues: ["q"] });
    expect(await bodies(shard, "q")).toEqual(["", ""]);
  });
}
