/** A snapshot's file once more, under the configuration that an operator gave the group. */
import { ByteWriter } from "@canopy/base";
import type { SnapshotMeta } from "../core/types.ts";
import { writeMeta } from "../wire/configuration.ts";
import type { GroupId, SnapshotFiles } from "./port.ts";

/** It takes the old one's place when all of it is on the disk. Throws a StorageError where that is damaged. */
export async function rewriteSnapshot(
  files: Pick<SnapshotFiles, "read" | "create">,
  group: GroupId,
  meta: SnapshotMeta,
): Promise<void> {
  const reader = await files.read(group, meta.index);
  try {
    const writer = await files.create(group, meta);
    try {
      for await (const chunk of reader.chunks()) await writer.write(chunk);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    await writer.finish();
  } finally {
    await reader.close();
  }
}

export function isSameMeta(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return encoded(a).equals(encoded(b));
}

function encoded(meta: SnapshotMeta): Buffer {
  const w = new ByteWriter();
  writeMeta(w, meta);
  return w.take();
}
