/** A real disk that fails when it is told to. */
import { type Disk, type DiskFile, nodeDisk } from "../src/log/disk.ts";

export type Operation =
  | "create"
  | "open"
  | "write"
  | "truncate"
  | "sync"
  | "syncDirectory"
  | "rename"
  | "remove";

export class FaultyDisk implements Disk {
  /** Throws to make the operation fail. Asked before it is done. */
  before: (operation: Operation, path: string) => void | Promise<void> = () => {};
  /** Of a failing write this many bytes reach the file. */
  partOfWrite = 0;
  readonly counts = new Map<Operation, number>();

  makeDirectory(path: string): Promise<void> {
    return nodeDisk.makeDirectory(path);
  }

  list(directory: string): Promise<readonly string[]> {
    return nodeDisk.list(directory);
  }

  /** The operations fail until heal() is called. */
  fail(...operations: Operation[]): void {
    this.before = (operation) => {
      if (operations.includes(operation)) throw new Error(`EIO: ${operation}`);
    };
  }

  heal(): void {
    this.before = () => {};
  }

  async syncDirectory(path: string): Promise<void> {
    await this.check("syncDirectory", path);
    await nodeDisk.syncDirectory(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.check("rename", to);
    await nodeDisk.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.check("remove", path);
    await nodeDisk.remove(path);
  }

  async create(path: string): Promise<DiskFile> {
    await this.check("create", path);
    return new FaultyFile(this, path, await nodeDisk.create(path));
  }

  async open(path: string): Promise<DiskFile> {
    await this.check("open", path);
    return new FaultyFile(this, path, await nodeDisk.open(path));
  }

  async check(operation: Operation, path: string): Promise<void> {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    await this.before(operation, path);
  }
}

class FaultyFile implements DiskFile {
  readonly #disk: FaultyDisk;
  readonly #path: string;
  readonly #file: DiskFile;

  constructor(disk: FaultyDisk, path: string, file: DiskFile) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#file.read(position, length);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await this.#disk.check("write", this.#path);
    } catch (error) {
      await this.#file.write(bytes.subarray(0, this.#disk.partOfWrite), position);
      throw error;
    }
    await this.#file.write(bytes, position);
  }

  async truncate(size: number): Promise<void> {
    await this.#disk.check("truncate", this.#path);
    await this.#file.truncate(size);
  }

  async sync(): Promise<void> {
    await this.#disk.check("sync", this.#path);
    await this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
