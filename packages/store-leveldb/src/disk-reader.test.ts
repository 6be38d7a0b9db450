import { appendOf } from "@canopy/store/contract";
import { expect, test } from "vitest";
import { DiskReader } from "./disk-reader.ts";
import { encodeRecord } from "./encode.ts";
import { RecordCache } from "./record-cache.ts";

const MIB = 2 ** 20;

/** Over a disk whose records have these bytes; it tells what each batch brought. */
function readerOver(sizeOf: (segment: number, number: number) => number | undefined) {
  const batches: { records: number; bytes: number }[] = [];
  const getMany = async (keys: Buffer[]) => {
    const values = keys.map((key) => {
      const bytes = sizeOf(key.readUInt32BE(1), key.readUInt32BE(5));
      return bytes === undefined
        ? undefined
        : encodeRecord([appendOf(1, [{ body: new Uint8Array(bytes) }])]).bytes;
    });
    const bytes = values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    batches.push({ records: keys.length, bytes });
    return values;
  };
  const reader = new DiskReader({ getMany, get: async () => undefined }, new RecordCache(0));
  const visit = async (segment: number, count: number): Promise<(number | undefined)[]> => {
    const places = Array.from({ length: count }, (_, number) => [segment, number]).flat();
    return visitAll(places);
  };
  const visitAll = async (places: readonly number[]): Promise<(number | undefined)[]> => {
    const visited: (number | undefined)[] = [];
    await reader.eachRecord(places, (index, record) => {
      visited[index] = record?.bytes.length;
    });
    return visited;
  };
  const largest = () => Math.max(...batches.map(({ bytes }) => bytes));
  return { batches, visit, visitAll, largest };
}

test("many small records come in few batches, all of them in order", async () => {
  const { batches, visit } = readerOver((_, number) => 100 + number);
  const sizes = (await visit(1, 1000)) as number[];
  expect(sizes).toHaveLength(1000);
  expect(sizes[999]).toBe((sizes[0] as number) + 999);
  expect(batches.length).toBeLessThan(12);
});

test("large records are read a few at a time, whatever was read before", async () => {
  const { visit, largest } = readerOver((segment) => (segment === 1 ? 200 : 900_000));
  await visit(2, 12);
  await visit(1, 300);
  await visit(2, 12);
  await visit(2, 3);
  expect(largest()).toBeLessThan(4 * MIB);
});

test("large ones behind small ones of the same read are, too", async () => {
  const { visitAll, largest } = readerOver((segment) => (segment === 1 ? 200 : 900_000));
  const small = Array.from({ length: 300 }, (_, number) => [1, number]).flat();
  const large = Array.from({ length: 12 }, (_, number) => [2, number]).flat();
  expect(await visitAll([...small, ...large])).toHaveLength(312);
  expect(largest()).toBeLessThan(4 * MIB);
});

test("what is not there says nothing of the size of what is", async () => {
  const { visit, largest } = readerOver((segment) => (segment === 1 ? undefined : 900_000));
  expect(await visit(1, 100)).toEqual(Array.from({ length: 100 }));
  await visit(2, 12);
  expect(largest()).toBeLessThan(4 * MIB);
});
