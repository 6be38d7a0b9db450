import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A process of which connections come. */
interface Source {
  readonly name: string;
  readonly pid: number;
}

/** One connection through a proxy. */
interface Passage {
  /** Who made it; undefined where nobody has asked. */
  from: string | undefined;
  readonly to: string;
  readonly near: Socket;
  readonly far: Socket;
}

/**
 * TCP proxies in front of processes. Who connects is found by the owner of the connection's other end,
 * so that one process can be cut off from all others in both directions: of a link that is cut nothing
 * is lost and nothing passes, as in a network, until it is healed.
 */
export class Proxies {
  readonly #sources: () => readonly Source[];
  readonly #servers: Server[] = [];
  readonly #passages = new Set<Passage>();
  readonly #isolated = new Set<string>();

  constructor(sources: () => readonly Source[]) {
    this.#sources = sources;
  }

  /** Who can tell whose a connection is: Linux. */
  static get areAvailable(): boolean {
    return process.platform === "linux";
  }

  /** Puts one in front of the process that will listen at this address, and says where. */
  async before(name: string, address: string): Promise<string> {
    const server = createServer(
      { allowHalfOpen: true },
      (near) => void this.#accept(name, near, address),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    return `127.0.0.1:${bound.port}`;
  }

  /** Nothing passes from or to it any more; the answer heals it. */
  async isolate(name: string): Promise<() => void> {
    this.#isolated.add(name);
    await Promise.all([...this.#passages].map((passage) => this.#identify(passage)));
    this.#adjust();
    return () => {
      this.#isolated.delete(name);
      this.#adjust();
    };
  }

  stop(): void {
    for (const server of this.#servers) server.close();
    for (const { near, far } of this.#passages) {
      near.destroy();
      far.destroy();
    }
  }

  async #accept(to: string, near: Socket, address: string): Promise<void> {
    const [host, port] = address.split(":");
    const far = connect({
      host: host ?? "",
      port: Number(port),
      noDelay: true,
      allowHalfOpen: true,
    });
    near.setNoDelay(true);
    const passage: Passage = { from: undefined, to, near, far };
    this.#passages.add(passage);
    near.pause();
    far.pause();
    const end = (): void => {
      this.#passages.delete(passage);
      near.destroy();
      far.destroy();
    };
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", end);
      one.on("close", end);
      one.on("end", () => other.end());
      one.on("data", (bytes) => {
        if (!other.write(bytes)) one.pause();
      });
      other.on("drain", () => this.#flow(passage));
    }
    if (this.#isolated.size > 0) await this.#identify(passage);
    this.#flow(passage);
  }

  async #identify(passage: Passage): Promise<void> {
    passage.from ??= await ownerOf(passage.near.remotePort ?? 0, this.#sources());
  }

  #adjust(): void {
    for (const passage of this.#passages) this.#flow(passage);
  }

  #flow({ from, to, near, far }: Passage): void {
    const isCut = this.#isolated.has(from ?? "") || this.#isolated.has(to);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      if (isCut || other.writableNeedDrain) one.pause();
      else one.resume();
    }
  }
}

/** Whose end of a connection has this local port; "" if none of these has it (any more). */
async function ownerOf(port: number, sources: readonly Source[]): Promise<string> {
  const inode = await inodeOf(port);
  if (inode === undefined) return "";
  for (const { name, pid } of sources) if (await hasSocket(pid, inode)) return name;
  return "";
}

/** Of the socket with this local port, by proc(5). */
async function inodeOf(port: number): Promise<string | undefined> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(wanted)) return fields[9];
  }
  return undefined;
}

async function hasSocket(pid: number, inode: string): Promise<boolean> {
  try {
    const folder = `/proc/${pid}/fd`;
    const links = await Promise.all(
      (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")),
    );
    return links.includes(`socket:[${inode}]`);
  } catch {
    return false; // it has ended
  }
}
