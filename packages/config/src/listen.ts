import { isIPv4, isIPv6 } from "node:net";

/** Where a listener waits for connections. */
export interface ListenAddress {
  readonly scheme: "tcp" | "ws";
  /** A host name or an address; IPv6 without its brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The path of a ws listener, "/mqtt" unless given; "" for tcp. */
  readonly path: string;
  /** The address as it is written, which names the listener. */
  readonly text: string;
}

export const listenForms = "tcp://HOST:PORT or ws://HOST:PORT/PATH, an IPv6 HOST in brackets";

const hostName =
  /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;

/** The host, or undefined if it is none. "1.2.3" and "300.1.1.1" are no addresses and no names. */
export function parseHost(text: string): string | undefined {
  if (text.startsWith("[")) {
    const inner = text.slice(1, -1);
    return text.endsWith("]") && isIPv6(inner) ? inner : undefined;
  }
  if (isIPv4(text)) return text;
  return hostName.test(text) && !/^[\d.]+$/.test(text) ? text : undefined;
}

/** The address, or what is wrong with it as a text. */
export function parseListenAddress(text: string): ListenAddress | string {
  const parts = /^([a-z]+):\/\/(\[[^\]]*\]|[^:/[\]]*)(?::(\d*))?(\/.*)?$/.exec(text);
  if (parts === null) return "it is not an address";
  const [, scheme, hostText = "", portText = "", path] = parts;
  if (scheme !== "tcp" && scheme !== "ws") return `there are no ${scheme} listeners`;
  if (hostText === "") return "the host is missing (0.0.0.0 or [::] listens on all)";
  const host = parseHost(hostText);
  if (host === undefined) return `${hostText} is no host`;
  if (portText === "") return "the port is missing";
  const port = Number(portText);
  if (port > 65_535) return `there is no port ${portText}`;
  if (scheme === "tcp") {
    return path === undefined ? { scheme, host, port, path: "", text } : "tcp has no path";
  }
  if (path !== undefined && /[\s?#]/.test(path))
    return "the path has a query, a fragment or a space";
  return { scheme, host, port, path: path ?? "/mqtt", text };
}

/** Whether only processes of this machine can reach it. */
export function isLoopback({ host }: Pick<ListenAddress, "host">): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  if (isIPv6(host)) return /^(0*:)*:?0*1$/.test(host) || /^::ffff:127\./i.test(host);
  return host.toLowerCase() === "localhost";
}
