import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreHarness } from "@canopy/store/contract";
import { type LevelStore, type LevelStoreOptions, openLevelStore } from "../src/store.ts";

/** Stores in a folder of their own, with these settings. */
export async function levelHarness(
  options: Omit<LevelStoreOptions, "folder">,
): Promise<StoreHarness> {
  const folder = await temporaryFolder();
  return {
    open: () => openLevelStore({ ...options, folder }),
    crash: (store) => (store as LevelStore).abandon(),
    destroy: () => rm(folder, { recursive: true, force: true }),
  };
}

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "canopy-store-"));
}
