import type { Disk, DiskFile } from "@canopy/raft";

/** The disk of the sessions' log in memory: what was written is there after a restart. */
export class MemoryLogDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();
  /** Every write first waits for this. */
  gate: Promise<void> | undefined;
  /** Writes fail while it is set. */
  broken = false;

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`;
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  }

  async syncDirectory(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    const file = this.#find(from);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path);
  }

  async create(path: string): Promise<DiskFile> {
    const file = new MemoryFile(this);
    this.#files.set(path, file);
    return file;
  }

  async open(path: string): Promise<DiskFile> {
    return this.#find(path);
  }

  async ready(): Promise<void> {
    await this.gate;
    if (this.broken) throw new Error("EIO: injected");
  }

  #find(path: string): MemoryFile {
    const file = this.#files.get(path);
    if (file === undefined) throw new Error(`ENOENT: ${path}`);
    return file;
  }
}

class MemoryFile implements DiskFile {
  readonly #disk: MemoryLogDisk;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(disk: MemoryLogDisk) {
    this.#disk = disk;
  }

  async size(): Promise<number> {
    return this.#bytes.length;
  }

  async read(position: number, length: number): Promise<Buffer> {
    return Buffer.from(this.#bytes.subarray(position, position + length));
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#disk.ready();
    const size = Math.max(this.#bytes.length, position + bytes.length);
    const grown = Buffer.alloc(size);
    this.#bytes.copy(grown);
    grown.set(bytes, position);
    this.#bytes = grown;
  }

  async truncate(size: number): Promise<void> {
    this.#bytes = Buffer.from(this.#bytes.subarray(0, size));
  }

  async sync(): Promise<void> {
    await this.#disk.ready();
  }

  async close(): Promise<void> {}
}
