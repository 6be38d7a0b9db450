/** Who creates the cluster, as the node knew it when it was created. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "@canopy/config";
import type { SessionNodes } from "./session-nodes.ts";

const FILE = "founders.json";

/**
 * The first voters. By configuration; or, with names that are counted as those of a StatefulSet of
 * Kubernetes are (node-0, node-1, …), the first of them, whoever else is started at the same time; or by
 * DNS, as soon as there are as many as wanted, and then the same for ever: a node that starts again must
 * not wait for those that are away. A node that is not among them joins later. Undefined: stopped before.
 */
export async function foundersOf(
  { cluster, data, node }: Config,
  nodes: SessionNodes,
): Promise<readonly string[] | undefined> {
  if (cluster.nodes !== undefined) return cluster.nodes.map(({ name }) => name);
  const size = cluster.size ?? 0;
  const [, stem] = /^(.*-)\d+$/.exec(node.name) ?? [];
  if (stem !== undefined) return Array.from({ length: size }, (_, i) => `${stem}${i}`);
  const file = join(data, FILE);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as string[];
  const found = await nodes.founders(size);
  // With more than were wanted there is a cluster already.
  if (found?.length !== size || !found.includes(node.name)) return found && [];
  await writeFile(`${file}.new`, JSON.stringify(found), { flush: true });
  await rename(`${file}.new`, file);
  return found;
}
