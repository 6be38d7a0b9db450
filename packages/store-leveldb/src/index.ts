export { type LevelStoreOptions, openLevelStore } from "./store.ts";
