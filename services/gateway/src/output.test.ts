import fc from "fast-check";
import { expect, test } from "vitest";
import { Counters } from "./counters.ts";
import { CHUNK, ChunkPool, Output } from "./output.ts";
import type { Transport } from "./transport.ts";

/** Keeps the broker's memory as it is while it is slow, and takes it only then. */
class SlowTransport implements Transport {
  readonly remoteAddress = "";
  readonly listener = "";
  isSlow = false;
  readonly taken: Buffer[] = [];
  #held: Buffer[] = [];

  get backlog(): number {
    return this.#held.reduce((sum, { length }) => sum + length, 0);
  }

  write(bytes: Buffer): void {
    if (this.isSlow) this.#held.push(bytes);
    else this.taken.push(Buffer.from(bytes));
  }

  /** Everything that waited leaves. */
  take(): void {
    for (const bytes of this.#held.splice(0)) this.taken.push(Buffer.from(bytes));
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

test("one write for all that a turn brings", () => {
  const transport = new SlowTransport();
  const output = new Output(transport, new ChunkPool(), new Counters());
  for (let i = 0; i < 100; i++) output.append(Buffer.from([i]));
  expect(transport.taken.length).toBe(0);
  expect(output.pending).toBe(100);
  output.flush();
  expect(transport.taken).toEqual([Buffer.from(Array.from({ length: 100 }, (_, i) => i))]);
});

test("a chunk is used again only when nobody reads from it", () => {
  const pool = new ChunkPool();
  for (const size of [1, CHUNK]) {
    const chunk = pool.take(size);
    expect(chunk.length).toBeGreaterThanOrEqual(size);
    pool.give(chunk);
    expect(pool.take(size)).toBe(chunk);
    expect(pool.take(size)).not.toBe(chunk);
  }
});

test("whatever sockets take when, the bytes of each arrive in order and unspoiled", () => {
  const action = fc.record({
    client: fc.nat(2),
    kind: fc.constantFrom("append", "append", "reserve", "flush", "slow", "take"),
    size: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 3 * CHUNK })),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (script) => {
      const pool = new ChunkPool();
      const counters = new Counters();
      const clients = [0, 1, 2].map(() => {
        const transport = new SlowTransport();
        return { transport, output: new Output(transport, pool, counters), sent: [] as Buffer[] };
      });
      let mark = 0;
      for (const { client, kind, size } of script) {
        const { transport, output, sent } = clients[client] as (typeof clients)[number];
        mark = (mark + 1) % 251;
        if (kind === "append") {
          const bytes = Buffer.alloc(size, mark);
          sent.push(bytes);
          output.append(bytes);
        } else if (kind === "reserve") {
          const length = Math.min(size, CHUNK);
          const out = output.reserve(length);
          out.fill(mark, output.at, output.at + length);
          output.at += length;
          sent.push(Buffer.alloc(length, mark));
        } else if (kind === "flush") {
          output.flush();
        } else if (kind === "slow") {
          transport.isSlow = true;
        } else {
          transport.take();
          transport.isSlow = false;
          output.reclaim();
        }
      }
      for (const { transport, output, sent } of clients) {
        output.flush();
        transport.take();
        expect(Buffer.concat(transport.taken).equals(Buffer.concat(sent))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});
