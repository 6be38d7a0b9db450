import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Proxies } from "../src/targets/proxies.ts";

/** Sends back what it gets. */
async function echo(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `127.0.0.1:${address.port}`;
}

async function connected(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port) });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function answer(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString();
}

test.runIf(Proxies.areAvailable)(
  "who is cut off gets nothing until it is healed, and loses nothing",
  async () => {
    const proxies = new Proxies(() => [{ name: "me", pid: process.pid }]);
    onTestFinished(() => proxies.stop());
    const cut = await connected(await proxies.before("one", await echo()));
    const { length } = "before";
    cut.write("before");
    expect(await answer(cut)).toHaveLength(length);
    const heal = await proxies.isolate("me");
    const answered: string[] = [];
    cut.on("data", (bytes) => answered.push(bytes.toString()));
    cut.write("meanwhile");
    // A connection that nobody is cut off from shows that time has passed.
    const other = await connected(await echo());
    other.write("other");
    expect(await answer(other)).toBe("other");
    expect(answered).toEqual([]);
    const back = once(cut, "data");
    heal();
    await back;
    expect(answered).toEqual(["meanwhile"]);
  },
);

test.runIf(Proxies.areAvailable)(
  "both sides of a link are cut, also of one that is made meanwhile",
  async () => {
    const proxies = new Proxies(() => []);
    onTestFinished(() => proxies.stop());
    const place = await proxies.before("one", await echo());
    const heal = await proxies.isolate("one");
    const socket = await connected(place);
    socket.write("held");
    const other = await connected(await proxies.before("two", await echo()));
    other.write("passes");
    expect(await answer(other)).toBe("passes");
    const held = answer(socket);
    heal();
    expect(await held).toBe("held");
  },
);
