/** A disk in memory whose every operation is one turn of the event loop, and that can be made to fail. */
import { basename, dirname } from "node:path";
import type { Disk, DiskFile } from "../../src/storage/disk.ts";

export class MemoryDisk implements Disk {
  readonly #files = new Map<string, Content>();
  readonly #directories = new Set<string>();
  /** What each write and sync is answered with. */
  failure: Error | undefined;
  /** Writes and syncs that are begun do not end before this settles. */
  hang: Promise<void> | undefined;
  /** Called before each change. */
  onChange: () => void = () => {};

  /** What a process that is killed now leaves. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [path, content] of this.#files) copy.#files.set(path, content.copy());
    for (const path of this.#directories) copy.#directories.add(path);
    return copy;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#turn();
    this.#directories.add(path);
  }

  async list(directory: string): Promise<readonly string[]> {
    await this.#turn();
    const here = [...this.#files.keys()].filter((path) => dirname(path) === directory);
    const below = [...this.#directories].filter((path) => dirname(path) === directory);
    return [...here, ...below].map((path) => basename(path));
  }

  syncDirectory(): Promise<void> {
    return this.#turn();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#change();
    this.#files.set(to, this.#get(from));
    this.#files.delete(from);
  }

  async remove(path: string): Promise<void> {
    await this.#change();
    this.#get(path);
    this.#files.delete(path);
  }

  async create(path: string): Promise<DiskFile> {
    await this.#change();
    const content = new Content();
    this.#files.set(path, content);
    return this.#file(content);
  }

  async open(path: string): Promise<DiskFile> {
    await this.#turn();
    return this.#file(this.#get(path));
  }

  #file(content: Content): DiskFile {
    return {
      size: async () => content.size,
      read: async (position, length) => {
        await this.#turn();
        return content.read(position, length);
      },
      write: async (bytes, position) => {
        const copy = Buffer.from(bytes);
        await this.#change();
        content.write(copy, position);
      },
      sync: () => this.#change(),
      close: async () => {},
    };
  }

  #get(path: string): Content {
    const content = this.#files.get(path);
    if (content === undefined) {
      throw Object.assign(new Error(`ENOENT: no such file: ${path}`), { code: "ENOENT" });
    }
    return content;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async #change(): Promise<void> {
    await this.#turn();
    await this.hang;
    if (this.failure !== undefined) throw this.failure;
    this.onChange();
  }
}

class Content {
  #bytes = Buffer.alloc(0);
  size = 0;

  copy(): Content {
    const copy = new Content();
    copy.write(this.#bytes.subarray(0, this.size), 0);
    return copy;
  }

  read(position: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(position, Math.min(this.size, position + length)));
  }

  write(bytes: Buffer, position: number): void {
    this.#grow(position + bytes.length);
    bytes.copy(this.#bytes, position);
  }

  #grow(size: number): void {
    if (size > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    this.size = Math.max(this.size, size);
  }
}
