/** The few things a log does with a disk, so that tests can make each of them fail. */
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { lockDirectory } from "./lock.ts";

export interface Disk {
  /**
   * Nobody else gets the directory until the function that it returns is called or the process
   * ends. Throws a StorageError if somebody has it. Left out where nobody else can come.
   */
  readonly lock?: (directory: string) => () => void;
  /** With those above it; they are on the disk too. */
  makeDirectory(path: string): Promise<void>;
  list(directory: string): Promise<readonly string[]>;
  /** Makes what was created, renamed or removed in a directory last. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Creates the file or empties it. */
  create(path: string): Promise<DiskFile>;
  /** For reading and writing; it has to exist. */
  open(path: string): Promise<DiskFile>;
}

export interface DiskFile {
  size(): Promise<number>;
  /** Fewer bytes than asked only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  /** All of it, or an error; after an error any part of it may have been written. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Content and size are on the disk (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const nodeDisk: Disk = {
  lock: lockDirectory,
  makeDirectory: async (path) => {
    const whole = resolve(path);
    const first = await mkdir(whole, { recursive: true });
    // A directory is lost with its content until the entry in the one above is on the disk.
    for (let made = whole; first !== undefined; made = dirname(made)) {
      await syncDirectory(dirname(made));
      if (made === first) break;
    }
  },
  list: (directory) => readdir(directory),
  syncDirectory,
  rename,
  remove: unlink,
  create: async (path) => new NodeFile(await open(path, "w+")),
  open: async (path) => new NodeFile(await open(path, "r+")),
};

/** For looking only: files are opened for reading, so that a folder that can't be written will do. */
export const readingDisk: Disk = {
  ...nodeDisk,
  open: async (path) => new NodeFile(await open(path, "r")),
};

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const left = bytes.length - done;
      // A full disk may take a part first and say so only at the next try.
      const { bytesWritten } = await this.#handle.write(bytes, done, left, position + done);
      done += bytesWritten;
    }
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
