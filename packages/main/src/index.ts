export { DataFolderError, type FolderPurpose, prepareDataFolder } from "./data-folder.ts";
export { orComplain, type Process, type RunOptions, runMain } from "./run.ts";
