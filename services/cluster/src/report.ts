/** What is said of a cluster: to people, and to programs. */
import type { Balancer } from "./balancer.ts";
import type { Cluster } from "./cluster.ts";

export function forPeople(cluster: Cluster, balancer: Balancer | undefined): string {
  const [gateway] = cluster.gateways;
  const front = balancer?.mqtt ?? gateway?.mqtt;
  const where = `-h ${front?.host} -p ${front?.port}`;
  const rows = cluster.processes.map((one) => row(one.name, one.pid, one));
  if (balancer !== undefined) rows.unshift(row("haproxy", balancer.pid, balancer));
  return [
    "The Canopy cluster is ready:",
    ...rows,
    `  subscribe:  mosquitto_sub ${where} -t 'hello/#' -v`,
    `  publish:    mosquitto_pub ${where} -t hello/world -m 'Hello, Canopy' -q 1`,
    `Its data is in ${cluster.folder}. Ctrl-C stops it.`,
  ].join("\n");
}

export function forPrograms(cluster: Cluster, balancer: Balancer | undefined): string {
  const processes = cluster.processes.map((one) => {
    const { name, role, pid, running, address, mqtt, ws, data } = one;
    return { name, role, pid, running, address, mqtt, ws, data };
  });
  const { pid, mqtt, ws } = balancer ?? {};
  const front = balancer === undefined ? undefined : { name: "haproxy", pid, mqtt, ws };
  return `${JSON.stringify({ folder: cluster.folder, processes, balancer: front }, undefined, 2)}\n`;
}

interface Places {
  readonly address?: string | undefined;
  readonly mqtt?: { readonly host: string; readonly port: number } | undefined;
  readonly ws?: { readonly url: string } | undefined;
}

function row(name: string, pid: number, { address, mqtt, ws }: Places): string {
  const tcp = mqtt === undefined ? undefined : `tcp://${mqtt.host}:${mqtt.port}`;
  const places = [tcp, ws?.url, address].filter((place) => place !== undefined);
  return `  ${name.padEnd(12)}${`pid ${pid}`.padEnd(14)}${places.join("  ")}`;
}
