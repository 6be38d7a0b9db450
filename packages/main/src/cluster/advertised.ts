import { hostname } from "node:os";
import type { Config } from "@canopy/config";

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::", ""]);

/** Where others reach this process, which listens there. */
export function advertised({ rpc, cluster, node }: Config, listening: string): string {
  if (rpc.advertise !== undefined) return rpc.advertise.text;
  const own = cluster.nodes?.find(({ name }) => name === node.name);
  if (own !== undefined) return own.endpoint.text;
  if (rpc.listen.host === "" || !EVERYWHERE.has(rpc.listen.host)) return listening;
  return `${hostname()}${listening.slice(listening.lastIndexOf(":"))}`;
}
