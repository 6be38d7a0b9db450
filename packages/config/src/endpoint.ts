/** Places that processes of the cluster reach each other at, and names of session nodes. */
import { parseHost } from "./listen.ts";

/** Where a process serves the others: a host and a port, or the path of a socket. */
export interface Endpoint {
  /** `host:port`, an IPv6 host in brackets; or `unix:` and a path. */
  readonly text: string;
  /** A host name or an address, IPv6 without its brackets; "" for a socket's path. */
  readonly host: string;
  /** 0 for a socket's path; where one listens also for any free port. */
  readonly port: number;
}

/** A session node as it is known to all processes before they know anything. */
export interface NodeAddress {
  readonly name: string;
  readonly endpoint: Endpoint;
}

export const endpointForms = "HOST:PORT, an IPv6 HOST in brackets, or unix:PATH";
export const nodeForms =
  "NAME=HOST:PORT for each session node, or HOST:PORT, whose name is that of its host";

const UNIX = "unix:";
const nodeName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export function isNodeName(text: string): boolean {
  return nodeName.test(text);
}

/** The place, or what is wrong with it as a text. */
export function parseEndpoint(text: string): Endpoint | string {
  if (text.startsWith(UNIX)) {
    return text.length > UNIX.length ? { text, host: "", port: 0 } : "the path is missing";
  }
  const parts = /^(\[[^\]]*\]|[^:/[\]]*)(?::(\d*))?$/.exec(text);
  if (parts === null) return "it is not an address";
  const [, hostText = "", portText = ""] = parts;
  if (hostText === "") return "the host is missing";
  const host = parseHost(hostText);
  if (host === undefined) return `${hostText} is no host`;
  if (portText === "") return "the port is missing";
  const port = Number(portText);
  return port > 65_535 ? `there is no port ${portText}` : { text, host, port };
}

/** A place that can be called, or what is wrong with it as a text. */
export function parseTarget(text: string): Endpoint | string {
  const endpoint = parseEndpoint(text);
  if (typeof endpoint === "string" || endpoint.host === "") return endpoint;
  if (endpoint.port === 0) return "nobody can be reached at port 0";
  return endpoint;
}

/** The node, or what is wrong with it as a text. */
export function parseNode(text: string): NodeAddress | string {
  const at = text.indexOf("=");
  const endpoint = parseTarget(text.slice(at + 1));
  if (typeof endpoint === "string") return endpoint;
  const name = at === -1 ? nameOfHost(endpoint.host) : text.slice(0, at).trim();
  if (name === undefined) return `it needs a name: NAME=${text}`;
  return isNodeName(name) ? { name, endpoint } : `${name} is no name of a node`;
}

/** The first label of a host name, as a StatefulSet of Kubernetes gives them; an address has none. */
export function nameOfHost(host: string): string | undefined {
  const [label = ""] = host.split(".");
  return /^[\d.]*$/.test(host) || host.includes(":") || !isNodeName(label) ? undefined : label;
}
