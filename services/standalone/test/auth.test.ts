import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteUser, setPassword } from "@canopy/auth";
import { mosquittoPub, mqttJs, RawClient, waitFor } from "@canopy/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fresh, packet, publish, utf8 } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const folder = mkdtempSync(join(tmpdir(), "canopy-test-"));
const file = join(folder, "passwords");
const method = "SCRAM-SHA-256";

beforeAll(async () => {
  await setPassword(file, "ann", "secret");
  await setPassword(file, "bob", "other");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const broker = sharedTarget({ set: { "auth.passwordFile": file } });

const hmac = (key: Uint8Array, text: string) => createHmac("sha256", key).update(text).digest();

/** The client's side of SCRAM (RFC 5802, section 3). */
class ScramClient {
  readonly first: Buffer;
  readonly #bare: string;
  readonly #password: string;

  constructor(user: string, password: string) {
    this.#bare = `n=${user},r=fyko+d2lbbFgONRv9qkxdawL`;
    this.first = Buffer.from(`n,,${this.#bare}`);
    this.#password = password;
  }

  final(challenge: unknown): { message: Buffer; proofOfServer: string } {
    const text = String(challenge);
    const {
      r = "",
      s = "",
      i = "",
    } = Object.fromEntries(text.split(",").map((part) => [part[0], part.slice(2)])) as Record<
      string,
      string
    >;
    const salted = pbkdf2Sync(this.#password, Buffer.from(s, "base64"), Number(i), 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${r}`;
    const authMessage = `${this.#bare},${text},${withoutProof}`;
    const signature = hmac(createHash("sha256").update(clientKey).digest(), authMessage);
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)));
    const server = hmac(hmac(salted, "Server Key"), authMessage).toString("base64");
    return {
      message: Buffer.from(`${withoutProof},p=${proof.toString("base64")}`),
      proofOfServer: `v=${server}`,
    };
  }
}

function authPacket(reasonCode: number, authenticationData: Buffer, authenticationMethod = method) {
  return {
    cmd: "auth" as const,
    reasonCode,
    properties: { authenticationMethod, authenticationData },
  };
}

/** Sends CONNECT and answers the challenge; what the broker says to that is not taken yet. */
async function exchange(user: string, password: string) {
  const scram = new ScramClient(user, password);
  const client = await RawClient.open(broker.tcp);
  client.sendConnect({
    clientId: fresh(),
    properties: { authenticationMethod: method, authenticationData: scram.first },
  });
  // [MQTT-4.12.0-2]
  const challenge = await client.expect("auth", {
    reasonCode: 0x18,
    properties: { authenticationMethod: method },
  });
  const { message, proofOfServer } = scram.final(challenge.properties?.authenticationData);
  client.send(authPacket(0x18, message));
  return { client, proofOfServer };
}

describe("user name and password", () => {
  test("the right password is accepted, in all versions", async () => {
    for (const version of [3, 4, 5] as const) {
      const client = await RawClient.open(broker.tcp, { version });
      await client.connect({ clientId: fresh(), username: "ann", password: "secret" });
      await client.expectQuiet();
    }
  });

  test("[MQTT-3.1.4-2] a wrong one gets 0x86, for v3 clients code 4", async () => {
    for (const username of ["ann", "nobody"]) {
      const client = await RawClient.open(broker.tcp);
      await client.connect({ username, password: "wrong" }, { reasonCode: 0x86 });
      await client.expectClosed();
      const v3 = await RawClient.open(broker.tcp, { version: 4 });
      await v3.connect({ username, password: "wrong" }, { returnCode: 4 });
      await v3.expectClosed();
    }
  });

  test("[MQTT-3.1.4-2] nobody comes in without a user name: 0x87, for v3 clients code 5", async () => {
    const client = await RawClient.open(broker.tcp);
    await client.connect({}, { reasonCode: 0x87 });
    await client.expectClosed();
    const v3 = await RawClient.open(broker.tcp, { version: 4 });
    await v3.connect({}, { returnCode: 5 });
    await v3.expectClosed();
  });

  test("[MQTT-3.1.3-12] a user name that is no UTF-8 is malformed", async () => {
    const client = await RawClient.open(broker.tcp);
    const name = utf8(Buffer.from([0xff]));
    client.sendBytes(packet(0x10, utf8("MQTT"), [5, 0x82, 0, 0, 0], utf8("raw"), name));
    await client.expect("connack", { reasonCode: 0x81 });
  });

  test("[MQTT-3.1.4-6] what was sent behind a CONNECT with a wrong password is not processed", async () => {
    const topic = fresh();
    const watcher = await RawClient.connected(broker.tcp, { username: "ann", password: "secret" });
    await watcher.subscribe(topic);
    const client = await RawClient.open(broker.tcp);
    client.sendConnect({ username: "ann", password: "wrong" });
    client.sendPublish(topic, "never");
    await client.expect("connack", { reasonCode: 0x86 });
    await client.expectClosed();
    await watcher.publish(topic, "end", { qos: 1 });
    await watcher.expect("publish", { payload: "end" });
  });

  test("MQTT.js and mosquitto_pub with a password", async () => {
    for (const protocolVersion of [4, 5] as const) {
      await mqttJs(broker.url, { protocolVersion, username: "ann", password: "secret" });
      const refused = mqttJs(broker.url, { protocolVersion, username: "ann", password: "x" });
      await expect(refused).rejects.toMatchObject({ code: protocolVersion === 4 ? 4 : 0x86 });
    }
    const args = [
      "-h",
      broker.tcp.host,
      "-p",
      `${broker.tcp.port}`,
      "-t",
      "t",
      "-m",
      "x",
      "-u",
      "ann",
      "-P",
    ];
    expect(await mosquittoPub([...args, "secret"])).toMatchObject({ code: 0 });
    expect((await mosquittoPub([...args, "wrong"])).code).not.toBe(0);
  });

  const reads = "each gateway reads it for itself";
  test.skipIf(inCluster(reads))(
    "the file is read again when it changes; a broken one changes nothing",
    async () => {
      const name = fresh("user");
      const tries = async (password: string): Promise<number | undefined> => {
        const client = await RawClient.open(broker.tcp);
        client.sendConnect({ username: name, password });
        return (await client.expect("connack")).reasonCode;
      };
      expect(await tries("new")).toBe(0x86);
      await setPassword(file, name, "new");
      await waitFor(async () => (await tries("new")) === 0);
      await setPassword(file, name, "changed");
      await waitFor(async () => (await tries("changed")) === 0);
      expect(await tries("new")).toBe(0x86);
      const text = await readFile(file, "utf8");
      await writeFile(file, `${text}what is this?\n`);
      await broker.logged(/the users stay as they were/);
      expect(await tries("changed")).toBe(0);
      await writeFile(file, text);
      await deleteUser(file, name);
      await waitFor(async () => (await tries("changed")) === 0x86);
    },
  );
});

describe("enhanced authentication", () => {
  test("[MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] SCRAM-SHA-256", async () => {
    const { client, proofOfServer } = await exchange("ann", "secret");
    await client.expect("connack", {
      reasonCode: 0,
      properties: { authenticationMethod: method, authenticationData: proofOfServer },
    });
    await client.expectQuiet();
  });

  test("[MQTT-4.12.0-4] a wrong password, or user, gets 0x86", async () => {
    for (const [user, password] of [
      ["ann", "wrong"],
      ["nobody", "secret"],
    ] as const) {
      const { client } = await exchange(user, password);
      await client.expect("connack", { reasonCode: 0x86 });
      await client.expectClosed();
    }
  });

  test("[MQTT-4.12.0-1] an unknown method gets 0x8C", async () => {
    const client = await RawClient.open(broker.tcp);
    await client.connect(
      { properties: { authenticationMethod: "GS2-KRB5" } },
      { reasonCode: 0x8c },
    );
    await client.expectClosed();
  });

  test("[MQTT-4.12.0-6] [MQTT-4.12.0-7] AUTH of a client without a method is a protocol error", async () => {
    const client = await RawClient.open(broker.tcp);
    const connack = await client.connect({ username: "ann", password: "secret" });
    expect(connack.properties?.authenticationMethod).toBeUndefined();
    client.send(authPacket(0x19, Buffer.from("n,,n=ann,r=x")));
    await client.expect("disconnect", { reasonCode: 0x82 });
    await client.expectClosed();
  });

  test("[MQTT-3.1.2-30] nothing but AUTH and DISCONNECT before CONNACK", async () => {
    const client = await RawClient.open(broker.tcp);
    const { first } = new ScramClient("ann", "secret");
    client.sendConnect({ properties: { authenticationMethod: method, authenticationData: first } });
    await client.expect("auth", { reasonCode: 0x18 });
    client.send({ cmd: "pingreq" });
    await client.expect("connack", { reasonCode: 0x82 });
    await client.expectClosed();
  });

  test.each([
    ["[MQTT-4.12.0-5] another method", authPacket(0x18, Buffer.from("x"), "OTHER"), 0x8c],
    ["[MQTT-3.15.2-1] re-authentication before CONNACK", authPacket(0x19, Buffer.from("x")), 0x82],
    ["what is no SCRAM message", authPacket(0x18, Buffer.from("x")), 0x87],
  ])("%s in the exchange", async (_, auth, reasonCode) => {
    const client = await RawClient.open(broker.tcp);
    const { first } = new ScramClient("ann", "secret");
    client.sendConnect({ properties: { authenticationMethod: method, authenticationData: first } });
    await client.expect("auth", { reasonCode: 0x18 });
    client.send(auth);
    await client.expect("connack", { reasonCode });
    await client.expectClosed();
  });

  test("[MQTT-3.15.1-1] AUTH with flags is malformed", async () => {
    const { client } = await exchange("ann", "secret");
    await client.expect("connack", { reasonCode: 0 });
    client.sendBytes("f1 00");
    await client.expect("disconnect", { reasonCode: 0x81 });
    await client.expectClosed();
  });

  test("[MQTT-4.12.1-1] re-authentication, while messages flow", async () => {
    const { client } = await exchange("ann", "secret");
    await client.expect("connack", { reasonCode: 0 });
    for (let round = 0; round < 2; round++) {
      const scram = new ScramClient("ann", "secret");
      client.send(authPacket(0x19, scram.first));
      await client.publish(fresh(), "x", { qos: 1 });
      const challenge = await client.find("auth", { reasonCode: 0x18 });
      const { message, proofOfServer } = scram.final(challenge.properties?.authenticationData);
      client.send(authPacket(0x18, message));
      await client.find("auth", {
        reasonCode: 0,
        properties: { authenticationMethod: method, authenticationData: proofOfServer },
      });
      await client.expectQuiet();
    }
  });

  test("[MQTT-4.12.1-2] a re-authentication that fails, or by another user, ends the connection", async () => {
    for (const [user, password] of [
      ["ann", "wrong"],
      ["bob", "other"],
    ] as const) {
      const { client } = await exchange("ann", "secret");
      await client.expect("connack", { reasonCode: 0 });
      const scram = new ScramClient(user, password);
      client.send(authPacket(0x19, scram.first));
      const challenge = await client.find("auth", { reasonCode: 0x18 });
      client.send(authPacket(0x18, scram.final(challenge.properties?.authenticationData).message));
      await client.expect("disconnect", { reasonCode: 0x87 });
      await client.expectClosed();
    }
  });
});

test.skipIf(inCluster("a setting of one gateway"))(
  "with a password file and auth.anonymous=true both kinds of clients come in",
  async () => {
    const open = await startTarget({ set: { "auth.passwordFile": file, "auth.anonymous": true } });
    await publish(open.tcp, "t", "x");
    const client = await RawClient.open(open.tcp);
    client.sendConnect({ username: "ann", password: "wrong" });
    await client.expect("connack", { reasonCode: 0x86 });
  },
);
