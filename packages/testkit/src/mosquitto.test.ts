import type { Packet } from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { hasMosquitto, mosquittoPub, mosquittoSub } from "./mosquitto.ts";
import { type Reply, scriptedServer } from "./scripted-server.ts";

/** Takes every PUBLISH, and sends these payloads after a SUBACK. */
function broker(...payloads: string[]) {
  return scriptedServer((packet): Reply[] => {
    const { messageId = 0 } = packet;
    if (packet.cmd === "connect") return [{ cmd: "connack", returnCode: 0, sessionPresent: false }];
    if (packet.cmd === "publish") return [{ cmd: "puback", messageId }];
    if (packet.cmd !== "subscribe") return [];
    const messages = payloads.map((payload): Packet => {
      return { cmd: "publish", topic: "t", payload, qos: 0, dup: false, retain: false };
    });
    return [{ cmd: "suback", messageId, granted: [0] }, ...messages];
  }, 4);
}

describe.skipIf(!hasMosquitto())("with Mosquitto's clients", () => {
  test("mosquittoPub runs to its end", async () => {
    const { address, got } = await broker();
    const args = ["-p", String(address.port), "-t", "t", "-m", "hello", "-q", "1"];
    expect(await mosquittoPub(args)).toMatchObject({ code: 0, stderr: [] });
    expect(got[1]).toMatchObject({ cmd: "publish", topic: "t", payload: Buffer.from("hello") });
  });

  test("mosquittoSub is subscribed when it resolves, and tells messages from its own talk", async () => {
    const { address, got } = await broker("one", "Client two", "Subscribed (mid: 1)");
    const subscriber = await mosquittoSub(["-p", String(address.port), "-t", "t"], {
      format: "%t %p",
    });
    expect(got[1]).toMatchObject({ cmd: "subscribe" });
    const messages = ["t one", "t Client two", "t Subscribed (mid: 1)"];
    expect(await subscriber.waitFor(3)).toEqual(messages);
    await subscriber.stop();
    expect(subscriber.messages).toEqual(messages);
  });

  test("mosquittoSub that cannot connect rejects with what it says", async () => {
    await expect(mosquittoSub(["-p", "1", "-t", "t"])).rejects.toThrow("has ended");
  });
});
