import { expect, test } from "vitest";
import { Cluster, TestNode } from "./cluster.ts";
import type { MemoryDisk } from "./memory-disk.ts";

const COMMANDS = 80;
const line = (i: number) => `command number ${i}`;

/** What a process leaves that is killed before a change of the disk, and what was answered by then. */
interface Image {
  readonly disk: MemoryDisk;
  readonly answered: number;
}

async function imagesOf(cluster: Cluster): Promise<Image[]> {
  const node = await cluster.elected();
  const images: Image[] = [];
  let answered = 0;
  node.disk.onChange = () => {
    images.push({ disk: node.disk.copy(), answered });
  };
  // Without an origin, so that what is applied twice shows.
  const answers = Array.from({ length: COMMANDS }, async (_, i) => {
    await cluster.turns(i * 5);
    const answer = await node.group().propose(Buffer.from(line(i)));
    answered++;
    return answer.type;
  });
  expect(new Set(await cluster.answer(Promise.all(answers)))).toEqual(new Set(["committed"]));
  await node.stop();
  return images;
}

test("apply and applied-index not atomic", async () => {
  const cluster = await Cluster.of(1, { snapshotEvery: 200, keepTail: 0 });
  const images = await imagesOf(cluster);
  const all = Array.from({ length: COMMANDS }, (_, i) => line(i));
  let restored = 0;
  for (const { disk, answered } of images) {
    const node = new TestNode(cluster, "n1", 7);
    node.disk = disk;
    await node.start();
    await node.open(0);
    await cluster.until(() => node.heard.leading.length > 0, "it to lead again");
    const { lines } = node.machine();
    expect(lines.length).toBeGreaterThanOrEqual(answered);
    // Nothing twice, nothing left out.
    expect(lines).toEqual(all.slice(0, lines.length));
    restored += node.machine().restored;
    await node.stop();
  }
  expect(restored).toBeGreaterThan(10);
  expect(restored).toBeLessThan(images.length);
});
