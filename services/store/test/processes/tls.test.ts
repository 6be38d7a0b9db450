/** What the processes of a cluster say to each other, encrypted, and only to each other (mTLS). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "@canopy/base";
import { controlOver, RpcChannel, type RpcTls } from "@canopy/rpc";
import { freePort, RawClient, testScope } from "@canopy/testkit";
import { expect, test } from "vitest";
import { SHARDS, Stores } from "./stores.ts";

const certs = join(import.meta.dirname, "../../../../packages/rpc/test/certs");
const file = (name: string): string => join(certs, name);

const own = {
  "rpc.tls.ca": file("ca.pem"),
  "rpc.tls.cert": file("node.pem"),
  "rpc.tls.key": file("node.key"),
};
/** Of those that serve others. */
const strict = { "rpc.tls.requireClientCert": true };

function tlsOf(ca: string, name: string | undefined): RpcTls {
  const read = (path: string): Buffer => readFileSync(file(path));
  return {
    ca: read(ca),
    cert: name === undefined ? undefined : read(`${name}.pem`),
    key: name === undefined ? undefined : read(`${name}.key`),
    requireClientCert: false,
  };
}

async function addresses(): Promise<Record<string, string>> {
  const ports = await Promise.all(["n1", "n2", "n3"].map(() => freePort()));
  return Object.fromEntries(ports.map((port, i) => [`n${i + 1}`, `127.0.0.1:${port}`]));
}

/** What becomes of somebody who calls there. */
async function called(address: string, tls: RpcTls | undefined): Promise<string> {
  const channel = new RpcChannel({ address, tls, logger: silentLogger });
  testScope().defer(() => channel.stop());
  await channel.start();
  // Nobody's: who is let in is told that.
  const answer = controlOver(channel).renew({ incarnation: 0, acknowledged: 0 });
  return answer.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
}

test("a cluster whose processes show each other certificates lets nobody else in", async () => {
  const tls = tlsOf("ca.pem", "node");
  const stores = await Stores.make({
    addresses: await addresses(),
    common: own,
    settings: strict,
    tls,
  });
  const store = stores.of("s1", { "rpc.listen": "127.0.0.1:0", ...strict });
  const gateway = stores.gateway("g1");
  store.start();
  gateway.start();
  const { listeners } = await gateway.ready();
  const port = Number(new URL((listeners as string[])[0] as string).port);
  const { incarnation, address } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
  const client = await RawClient.connected({ host: "127.0.0.1", port }, { clientId: "c" });
  await client.subscribe("t", { qos: 1 });
  await client.publish("t", "1", { qos: 1 });
  await client.expect("publish", { topic: "t" });
  for (const name of stores.nodes.names) {
    const at = stores.nodes.address(name);
    expect(["ended", "not-leader"]).toContain(await called(at, tls));
    expect(await called(at, undefined)).toBe("unavailable");
    expect(await called(at, tlsOf("ca.pem", undefined))).toBe("unavailable");
    expect(await called(at, tlsOf("ca.pem", "stranger"))).toBe("unavailable");
    expect(await called(at, tlsOf("stranger.pem", "node"))).toBe("unavailable");
  }
  expect(await called(address, undefined)).toBe("unavailable");
  expect(await called(address, tlsOf("ca.pem", "stranger"))).toBe("unavailable");
});

test("who has no certificate waits, and says for whom", async () => {
  const at = await addresses();
  const tls = tlsOf("ca.pem", "node");
  const stores = await Stores.make({ addresses: at, common: own, settings: strict, tls });
  const nothing = Object.fromEntries(Object.keys(own).map((key) => [key, undefined]));
  const store = stores.of("s1", nothing);
  store.start();
  expect((await store.says("waiting for the session nodes")).msg).toContain(at["n1"]);
  expect([...stores.view.stores()]).toEqual([]);
});
