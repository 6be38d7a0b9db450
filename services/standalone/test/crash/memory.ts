import { readFile } from "node:fs/promises";

/** Resident memory of a process, in MiB. */
export async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** The most that a process had while something was going on. */
export async function highestMemory(pid: number, during: () => Promise<void>): Promise<number> {
  let highest = await residentMemory(pid);
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      highest = Math.max(highest, await residentMemory(pid));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    await during();
  } finally {
    isOver = true;
    await watching;
  }
  return highest;
}
