import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { encodeChange } from "../../src/core/membership.ts";
import { EntryKind } from "../../src/index.ts";
import { BEGINNING, entries, entry, meta, open, run, textOf, write } from "./harness.ts";

/** Replica 1 of group 0, with a snapshot at 5, entries up to 8, and a change that adds replica 4. */
async function folder(): Promise<string> {
  const directory = await tempDir();
  const storage = await open(directory);
  await storage.create(0, 1, BEGINNING);
  await storage.found(5, { replica: 2, members: new Map([[2, { name: "b", disk: 72 }]]) });
  await write(storage, { entries: entries(1, 6, 1), hardState: { term: 1, vote: 1, commit: 6 } });
  const writer = await storage.snapshots.create(0, meta(5, 1));
  await writer.write(Buffer.from("the state"));
  await writer.finish();
  const change = encodeChange({ changes: [{ type: "addVoter", id: 4, node: "d", disk: 74 }] });
  await write(storage, {
    entries: [{ index: 7, term: 2, kind: EntryKind.Configuration, data: change }, entry(8, 2)],
    hardState: { term: 2, vote: 3, commit: 6 },
  });
  await storage.stop();
  return directory;
}

async function damage(directory: string, prefix: string, at: number): Promise<string> {
  const name = (await readdir(directory)).filter((file) => file.startsWith(prefix)).sort()[0]!;
  const bytes = await readFile(join(directory, name));
  bytes[at]! ^= 1;
  await writeFile(join(directory, name), bytes);
  return name;
}

describe("inspect", () => {
  test("prints segments, groups, configuration and snapshots", async () => {
    const { code, out } = await run("inspect", await folder());
    expect(code).toBe(0);
    expect(out).toContain("wal-0000000000000001.seg: frames 1 to");
    expect(out).toContain("term 2, vote 3, commit 6");
    expect(out).toContain("entries 1 to 8, behind 0 of term 0");
    expect(out).toContain("from 7: term 2, in segment 1");
    expect(out).toContain("group 5: replica 2, not created: all first voters have to meet");
    expect(out).toContain("met: 2=b (disk 72)");
    expect(out).toContain("index 5, term 1: voters 1,2,3, highest id 3, 1=a (disk 71)");
    expect(out).toContain(
      "changed by entry 7 (not known to be committed): voters 1,2,3,4, highest id 4, 1=a (disk 71)",
    );
  });

  test("prints frames, and JSON", async () => {
    const directory = await folder();
    const { out } = await run("inspect", "--frames", directory);
    expect(out).toMatch(/frame 5 at \d+, \d+ bytes\n\s+write: .*entries 1\/1 to 6\/1/);
    const json = await run("inspect", "--json", directory);
    expect(JSON.parse(json.out)).toMatchObject({
      groups: [
        {
          group: 0,
          replica: 1,
          last: 8,
          base: { configuration: { nodes: { 2: { name: "b", disk: 72 } } } },
          change: { index: 7, configuration: { voters: [1, 2, 3, 4] } },
        },
      ],
      foundings: [{ group: 5, replica: 2, members: { 2: { name: "b", disk: 72 } } }],
      snapshots: [{ chunks: 1, meta: { index: 5 } }],
    });
  });

  test("says what is damaged, changes nothing, and ends with 1", async () => {
    const directory = await folder();
    const segment = await damage(directory, "wal", 200);
    const snapshot = await damage(directory, "snapshot", 60);
    const before = await readdir(directory);
    const { code, out } = await run("inspect", directory);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`DAMAGED: a start is refused: .*${segment}, offset`));
    expect(out).toMatch(/DAMAGED: bad frame at \d+, and a good one behind it/);
    expect(out).toMatch(new RegExp(`DAMAGED: .*${snapshot}, offset`));
    expect(await readdir(directory)).toEqual(before);
  });

  test("says what a start is refused for, also where every file is sound", async () => {
    const directory = await folder();
    const storage = await open(directory);
    storage.compact(0, 5);
    await write(storage, { entries: [entry(9, 2)] });
    await storage.stop();
    expect((await run("inspect", directory)).code).toBe(0);
    for (const name of await readdir(directory)) {
      if (name.endsWith(".snap")) await rm(join(directory, name));
    }
    const { code, out } = await run("inspect", directory);
    expect(code).toBe(1);
    expect(out).toMatch(
      /DAMAGED: a start is refused: .*no snapshot of group 0 that reaches its log/,
    );
    await expect(open(directory)).rejects.toThrow(/no snapshot of group 0 that reaches its log/);
  });

  test("of a snapshot with a damaged chunk is not sound, though a start is not refused", async () => {
    const directory = await folder();
    const name = (await readdir(directory)).find((file) => file.endsWith(".snap"))!;
    await damage(directory, name, (await readFile(join(directory, name))).length - 10);
    const { code, out } = await run("inspect", directory);
    expect(code).toBe(1);
    expect(out).toMatch(/^.*\nDAMAGED: see below\n/);
    expect(out).toMatch(/DAMAGED: .*bad chunk of a snapshot/);
  });

  test("of a snapshot that can't be opened, or has another's name, goes on with the rest", async () => {
    const directory = await folder();
    const name = (await readdir(directory)).find((file) => file.endsWith(".snap"))!;
    const bytes = await readFile(join(directory, name));
    await writeFile(join(directory, name.replace("5.snap", "6.snap")), bytes);
    const misnamed = await run("inspect", directory);
    expect(misnamed.code).toBe(1);
    expect(misnamed.out).toMatch(/a start is refused: .*6\.snap, offset 0: it is of index 5/);
    await rm(join(directory, name));
    await mkdir(join(directory, name));
    const { code, out } = await run("inspect", directory);
    expect(code).toBe(1);
    expect(out).toMatch(/DAMAGED: EISDIR/);
    expect(out).toContain("group 0: replica 1");
  });

  test("of a folder that holds no log is one line, with 2; of snapshots without a log, 1", async () => {
    const empty = await tempDir();
    await writeFile(join(empty, "something"), "else");
    const { code, out, err } = await run("inspect", empty);
    expect({ code, out, err }).toEqual({
      code: 2,
      out: "",
      err: `canopy raft: there is no log in ${empty}\n`,
    });
    const directory = await folder();
    for (const name of await readdir(directory)) {
      if (name.endsWith(".seg")) await rm(join(directory, name));
    }
    const lost = await run("inspect", directory);
    expect(lost.code).toBe(1);
    expect(lost.out).toMatch(/a start is refused: .*there are snapshots, but no log/);
  });

  test("takes no options of recover", async () => {
    const { code, err } = await run("inspect", "--keep", "1", await folder());
    expect({ code, err }).toEqual({ code: 2, err: "canopy raft: inspect takes no --keep\n" });
  });

  test("of a folder that is not there is one line, with 2", async () => {
    const { code, err } = await run("inspect", join(await tempDir(), "nothing"));
    expect(code).toBe(2);
    expect(err).toMatch(/^canopy raft: ENOENT.*\n$/);
  });
});

describe("recover", () => {
  test("makes the survivors the only voters, loudly", async () => {
    const directory = await folder();
    const recover = ["recover", directory, "--group", "0", "--keep", "1,2"];
    const asked = await run(...recover);
    expect(asked.code).toBe(2);
    expect(asked.err).toMatch(/WARNING: group 0.*may be lost.*Given up: replicas 3, 4/s);
    expect(asked.err).toContain("group 0 was not changed; say --yes");
    const { code, out, err } = await run(...recover, "--yes");
    expect({ code, out }).toEqual({ code: 0, out: "group 0: voters are 1,2, term 3\n" });
    expect(err).toContain("WARNING");
    const storage = await open(directory);
    const { log } = storage.groups.get(0)!;
    expect(log.snapshot).toMatchObject({ index: 5, term: 1 });
    expect(log.snapshot.configuration).toEqual({
      ...meta(5, 1).configuration,
      voters: [1, 2],
      highest: 4,
      nodes: new Map([
        [1, { name: "a", disk: 71 }],
        [2, { name: "b", disk: 72 }],
      ]),
    });
    expect(log.hardState).toEqual({ term: 3, vote: 0, commit: 6 });
    expect(textOf(log)).toEqual(["6/1 entry 6 of 1", "7/2 ", "8/2 entry 8 of 2"]);
    expect(log.entries[1]?.kind).toBe(EntryKind.Empty);
    const reader = await storage.snapshots.read(0, 5);
    expect(reader.meta).toEqual(log.snapshot);
    const chunks: string[] = [];
    for await (const chunk of reader.chunks()) chunks.push(Buffer.from(chunk).toString());
    expect(chunks).toEqual(["the state"]);
    await reader.close();
  });

  test.each([
    [["--group", "0", "--keep", "2,3"], /replica 1, which is on this node, is not among/],
    [["--group", "0", "--keep", "1,2,4"], /keep one or two replicas/],
    [["--group", "0", "--keep", "1,9"], /replica 9 is not a member/],
    [["--group", "5", "--keep", "1"], /no group 5 here; groups: 0/],
    [["--group", "x", "--keep", "1"], /--group takes a number/],
    [["--keep", "1"], /--group takes a number/],
    [["--group", "", "--keep", "1"], /--group takes a number/],
    [["--group", " ", "--keep", "1"], /--group takes a number/],
    [["--group", "0x0", "--keep", "1"], /--group takes a number/],
    [["--group", "0e1", "--keep", "1"], /--group takes a number/],
    [["--group", "0"], /--keep takes ids/],
    [["--group", "0", "--keep", "a"], /--keep takes ids/],
    [["--group", "0", "--keep", "1,"], /--keep takes ids/],
    [["--group", "0", "--keep", "1e0"], /--keep takes ids/],
    [["--group", "0", "--keep", "1", "--frames"], /recover takes no --frames/],
    [["--frob"], /frob/],
  ])("%j is refused", async (args, message) => {
    const { code, err } = await run("recover", await folder(), "--yes", ...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test("of a folder that is in use or damaged is refused", async () => {
    const directory = await folder();
    const args = ["recover", directory, "--group", "0", "--keep", "1", "--yes"];
    const storage = await open(directory);
    expect(await run(...args)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/in use by another process/),
    });
    await storage.stop();
    await damage(directory, "wal", 200);
    expect(await run(...args)).toMatchObject({ code: 2, err: expect.stringMatching(/offset/) });
  });

  test("of a folder that can't be locked says why, and what to do", async () => {
    const directory = await folder();
    await rm(join(directory, "lock"));
    await mkdir(join(directory, "lock"));
    const { code, err } = await run("recover", directory, "--group", "0", "--keep", "1");
    expect(code).toBe(2);
    expect(err).toMatch(/^canopy raft: .*lock can't be locked: .*it has to be an empty file.*\n$/);
  });
});
