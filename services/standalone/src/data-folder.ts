import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** The data folder can't be used; the message says why and what to do. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

/** 3: sessions are group 1 of Raft, and gateways in them come with their incarnations. */
const FORMAT = 3;
const FILE = "canopy.json";

interface Description {
  readonly format: number;
  readonly shards: number;
}

/** Makes the folder if need be, and checks that it is ours, writable and made for as many shards. */
export async function prepareDataFolder(folder: string, shards: number): Promise<void> {
  await checkWritable(folder);
  const known = await describe(join(folder, FILE));
  if (known === undefined) {
    await write(join(folder, FILE), { format: FORMAT, shards });
    return;
  }
  if (known.format > FORMAT) {
    throw new DataFolderError(
      `${folder} is of format ${known.format}, this version reads ${FORMAT}: use a newer version`,
    );
  }
  if (known.format < FORMAT) {
    throw new DataFolderError(
      `${folder} is of format ${known.format}, of a version before the first release, which this one ` +
        "does not read: use another folder, or remove this one and everything in it",
    );
  }
  if (known.shards !== shards) {
    throw new DataFolderError(
      `${folder} was made with store.shards=${known.shards}, which can't be changed to ${shards}`,
    );
  }
}

async function checkWritable(folder: string): Promise<void> {
  const probe = join(folder, `.probe-${process.pid}`);
  try {
    await make(folder);
    await writeFile(probe, "");
    await rm(probe);
  } catch (error) {
    const { message } = error as Error;
    // a full disk is no reason not to start: what is stored can be read, and room can be made
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
    throw new DataFolderError(`the data folder ${folder} can't be written: ${message}`);
  }
}

/** As mkdir does recursively, which never ends where a folder's parent takes none, as /proc. */
async function make(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(folder) === folder) throw error;
    await make(dirname(folder));
    await mkdir(folder);
  }
}

async function describe(path: string): Promise<Description | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new DataFolderError(`${path} can't be read: ${(error as Error).message}`);
  }
  try {
    const { format, shards } = JSON.parse(text) as Partial<Description>;
    if (typeof format === "number" && typeof shards === "number") return { format, shards };
  } catch {
    // told below
  }
  throw new DataFolderError(`${path} is damaged: it should say {"format":${FORMAT},"shards":N}`);
}

async function write(path: string, description: Description): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(description)}\n`, { flush: true });
  await rename(`${path}.new`, path);
}
