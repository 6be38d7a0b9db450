/** Who creates the cluster, as the node knew it when it was created. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "@canopy/config";
import type { SessionNodes } from "./session-nodes.ts";

const FILE = "founders.json";

/**
 * The first voters. By configuration; or by DNS, until there are as many as wanted, and then the same
 * for ever: a node that starts again must not wait for those that are away. Undefined: stopped before.
 */
export async function foundersOf(
  { cluster, data, node }: Config,
  nodes: SessionNodes,
): Promise<readonly string[] | undefined> {
  if (cluster.nodes !== undefined) return cluster.nodes.map(({ name }) => name);
  const file = join(data, FILE);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as string[];
  const found = await nodes.founders(cluster.size ?? 0);
  if (found === undefined) return undefined;
  if (!found.includes(node.name)) {
    throw new Error(
      `${node.name} is not one of the session nodes that DNS names: ${found.join(", ")}`,
    );
  }
  await writeFile(`${file}.new`, JSON.stringify(found), { flush: true });
  await rename(`${file}.new`, file);
  return found;
}
