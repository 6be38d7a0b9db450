import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { roleNames } from "@canopy/config";

/** The data folder can't be used; the message says why and what to do. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

/** 4: the control plane is group 0 of Raft, which gives shards their epochs; a folder has a name. */
const FORMAT = 5;
const FILE = "canopy.json";

const names: Readonly<Record<string, string>> = { ...roleNames, workers: "a broker with workers" };

/** What a folder was made for, and can't be used otherwise. */
export interface FolderPurpose {
  /** Whose it is. */
  readonly role: "standalone" | "workers" | "session" | "store";
  /** Settings that are fixed when it is made, by key. */
  readonly fixed: Readonly<Record<string, number>>;
}

interface Description extends FolderPurpose {
  readonly format: number;
  readonly disk: string;
}

/**
 * Makes the folder if need be, and checks that it is ours, writable and made for the same. Returns the
 * name that it has among all folders of a cluster.
 */
export async function prepareDataFolder(folder: string, purpose: FolderPurpose): Promise<string> {
  await checkWritable(folder);
  const known = await describe(join(folder, FILE));
  if (known === undefined) {
    const disk = randomUUID();
    await write(join(folder, FILE), { format: FORMAT, ...purpose, disk });
    return disk;
  }
  check(folder, known, purpose);
  return known.disk;
}

function check(folder: string, known: Description, { role, fixed }: FolderPurpose): void {
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
  if (known.role !== role) {
    const [its, wanted] = [names[known.role], names[role]];
    throw new DataFolderError(
      `${folder} is the data folder of ${its}, not of ${wanted}: give each its own`,
    );
  }
  for (const [key, value] of Object.entries(fixed)) {
    if (known.fixed[key] === value) continue;
    throw new DataFolderError(
      `${folder} was made with ${key}=${known.fixed[key]}, which can't be changed to ${value}`,
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
    const found = JSON.parse(text) as Partial<Description>;
    if (isOld(found) || isWhole(found)) return found;
  } catch {
    // told below
  }
  throw new DataFolderError(`${path} is damaged: it should say what the folder was made for`);
}

/** Of an earlier version, or a later one: that it can't be read is told by its format. */
function isOld(found: Partial<Description>): found is Description {
  return typeof found.format === "number" && found.format !== FORMAT;
}

function isWhole(found: Partial<Description>): found is Description {
  const { format, role, fixed, disk } = found;
  const isText = typeof role === "string" && typeof disk === "string";
  return format === FORMAT && isText && typeof fixed === "object" && fixed !== null;
}

async function write(path: string, description: Description): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(description)}\n`, { flush: true });
  await rename(`${path}.new`, path);
}
