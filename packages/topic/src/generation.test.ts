import { describe, expect, test } from "vitest";
import { Generation, NameKey } from "./generation.ts";
import { Topic } from "./topic.ts";

function keyOf(name: string): NameKey {
  const key = new NameKey();
  const bytes = Buffer.from(name);
  key.load(bytes, 0, bytes.length);
  return key;
}

function insert(generation: Generation, name: string): Topic {
  const bytes = Buffer.from(name);
  const topic = new Topic(bytes, 0, bytes.length, 4);
  generation.insert(keyOf(name), topic);
  return topic;
}

/** Names whose hashes fall into one slot, as somebody with bad intentions would choose them. */
function colliding(count: number): string[] {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) {
    if ((keyOf(`${i}`).hash & 1023) === 0) names.push(`${i}`);
  }
  return names;
}

describe("Generation", () => {
  test("names that collide cost a bounded search: a newcomer pushes another out", () => {
    const generation = new Generation();
    const names = colliding(100);
    const topics = names.map((name) => insert(generation, name));
    const found = names.filter((name, i) => generation.find(keyOf(name)) === topics[i]);
    expect(found.length).toBe(32);
    expect(found).toContain(names[99]);
  });

  test("a key that was used for a longer name leaves nothing behind", () => {
    const generation = new Generation();
    const short = insert(generation, "abcde");
    const key = keyOf("a much longer name");
    key.load(Buffer.from("abcde"), 0, 5);
    expect(generation.find(key)).toBe(short);
  });

  test("names that differ in length only by padding are different", () => {
    const generation = new Generation();
    const topics = ["a", "a\0", "a\0\0\0"].map((name) => insert(generation, name));
    expect(generation.find(keyOf("a"))).toBe(topics[0]);
    expect(generation.find(keyOf("a\0\0"))).toBeUndefined();
  });
});
