/** Session nodes by DNS: as of a headless service of Kubernetes, whose pods have names. */
import { lookup, resolveSrv, reverse } from "node:dns/promises";
import { type Endpoint, nameOfHost } from "@canopy/config";

/** What is asked of DNS. */
export interface Dns {
  readonly srv: (
    name: string,
  ) => Promise<readonly { readonly name: string; readonly port: number }[]>;
  readonly addresses: (name: string) => Promise<readonly string[]>;
  readonly names: (address: string) => Promise<readonly string[]>;
}

export const systemDns: Dns = {
  srv: (name) => resolveSrv(name),
  addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  names: (address) => reverse(address),
};

/** Name → `host:port`. What DNS does not know, or has no names for, is left out. */
export async function discover(
  { host, port }: Endpoint,
  dns: Dns = systemDns,
): Promise<ReadonlyMap<string, string>> {
  const records = await dns.srv(host).catch(() => []);
  const found = new Map<string, string>();
  for (const { name, port: its } of records) {
    const label = nameOfHost(name);
    if (label !== undefined) found.set(label, `${name}:${its}`);
  }
  if (found.size > 0) return found;
  for (const address of await dns.addresses(host).catch(() => [])) {
    const [name = ""] = await dns.names(address).catch(() => []);
    const label = nameOfHost(name);
    if (label !== undefined) found.set(label, `${name}:${port}`);
  }
  return found;
}
