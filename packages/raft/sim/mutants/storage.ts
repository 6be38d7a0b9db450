/** Bugs in what reaches the disk, and when. */
import type { Mutant } from "./mutant.ts";

export const storageMutants: readonly Mutant[] = [
  {
    name: "the log is not synced",
    file: "storage/segment.ts",
    find: "if (sync) await this.#file.sync();",
    replace: "",
  },
  {
    name: "a failed write or sync is taken for done",
    file: "storage/segment.ts",
    find: "      this.failures++;\n      throw error;\n",
    replace: "      this.failures++;\n",
  },
  {
    name: "the directory is not synced after a segment got its name",
    file: "storage/segment.ts",
    find: "      await disk.syncDirectory(directory);\n",
    replace: "",
  },
  {
    name: "a snapshot gets its name before it is on the disk",
    file: "storage/snapshot-file.ts",
    find: "    await this.#chunk(new Uint8Array(0));\n    await this.#file.sync();\n",
    replace: "    await this.#chunk(new Uint8Array(0));\n",
  },
  {
    name: "the directory is not synced after a snapshot got its name",
    file: "storage/snapshots.ts",
    find: "    await disk.rename(aside, path);\n    await disk.syncDirectory(directory);\n",
    replace: "    await disk.rename(aside, path);\n",
  },
  {
    name: "a received snapshot is not synced",
    file: "storage/snapshots.ts",
    find: "          await file.sync();\n",
    replace: "",
  },
  {
    name: "a torn write at the end of the log stops the start",
    file: "storage/recover.ts",
    find: "  if (content.provesLoss(end)) throw damaged(content.path, end, BAD_BEFORE);\n",
    replace:
      "  if ((content.bytes[end] ?? 0) !== 0) throw damaged(content.path, end, BAD_BEFORE);\n",
  },
];
