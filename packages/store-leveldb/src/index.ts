export {
  type LevelStore,
  type LevelStoreCounts,
  type LevelStoreOptions,
  openLevelStore,
} from "./store.ts";
