export { Core } from "./core/core.ts";
export type * from "./core/port.ts";
export * from "./core/types.ts";
export { createHost } from "./host/host.ts";
export type * from "./host/port.ts";
export { type Disk, type DiskFile, nodeDisk } from "./storage/disk.ts";
export * from "./storage/port.ts";
export { openStorage, type StorageDurability, type StorageOptions } from "./storage/storage.ts";
export type * from "./transport/port.ts";
