// What can't be said in a script: the order of calls that come from within calls, and state that
// the gateway reads. Everything else is in testdata.
import { describe, expect, test } from "vitest";
import { Scene } from "../test/scene.ts";
import * as wire from "../test/wire.ts";

function opened(scene: Scene, fields: wire.ConnectFields = {}): Scene {
  scene.client(wire.connect(fields));
  scene.connection.authenticated();
  scene.connection.opened({ sessionPresent: false });
  return scene;
}

describe("what a CONNECT asks for", () => {
  test("[MQTT-4.9.0-1] the window is the lower of Receive Maximum and the broker's bound", () => {
    const limit = (fields: wire.ConnectFields) =>
      opened(new Scene({ maxInflight: 5 }), fields).connection.window.limit;
    const limits = [1, 4, 5, 6, 65_535].map((receiveMaximum) => limit({ receiveMaximum }));
    expect(limits).toEqual([1, 4, 5, 5, 5]);
    expect(limit({})).toBe(5);
  });

  test("[MQTT-3.1.2-26] [MQTT-3.1.2-27] aliases are the fewer of the client's and the broker's", () => {
    const maximum = (fields: wire.ConnectFields) =>
      opened(new Scene({ topicAliasMaximumOutbound: 3 }), fields).connection.aliases.maximum;
    const maxima = [0, 2, 9].map((topicAliasMaximum) => maximum({ topicAliasMaximum }));
    expect(maxima).toEqual([0, 2, 3]);
    expect(maximum({})).toBe(0);
  });
});

describe("topic aliases of a client", () => {
  test("[MQTT-3.3.2-7] end with their connection, also if the session goes on", () => {
    const first = opened(new Scene(), { sessionExpiry: 60 });
    first.client(wire.publish(5, "a", { alias: 1 }), wire.publish(5, "", { alias: 1 }));
    expect(first.effects.published.map(({ topic }) => topic)).toEqual(["a", "a"]);
    const second = opened(new Scene(), { sessionExpiry: 60 });
    second.client(wire.publish(5, "", { alias: 1 }));
    expect(second.effects.published).toEqual([]);
    expect(second.effects.ending).toMatchObject({ reasonCode: 0x82 });
  });
});

describe("a message that the store has refused", () => {
  function refused(earlier: "answered" | "waiting"): Scene {
    const scene = opened(new Scene());
    scene.client(wire.publish(5, "a", { qos: 2, packetId: 1 }));
    scene.client(wire.publish(5, "b", { qos: 1, packetId: 2 }));
    scene.connection.answered(1, 0x80);
    if (earlier === "answered") scene.connection.answered(0, 0);
    scene.connection.endIfRefusalWaits();
    return scene;
  }

  test("is one more answer, if what came before it has one", () => {
    expect(refused("answered").effects.ending).toBeUndefined();
  });

  test("[MQTT-4.6.0-1] ends the connection if not: it would be stored behind later ones", () => {
    expect(refused("waiting").effects.ending).toMatchObject({ reasonCode: 0x80 });
  });
});

describe("calls from within calls", () => {
  test("the authenticator and the sessions may answer at once", () => {
    const scene = new Scene();
    const { connection, effects } = scene;
    effects.authenticate = () => connection.authenticated();
    effects.open = () => connection.opened({ sessionPresent: false });
    scene.client(wire.connect(), wire.pingreq());
    expect(effects.sent.map(({ type }) => type)).toEqual(["connack", "pingresp"]);
  });

  test("an end when deliveries begin is the last effect", () => {
    const scene = new Scene();
    const { connection, effects } = scene;
    effects.started = () => connection.refused(0x88, "sessions are away");
    opened(scene);
    expect(effects.ending).toMatchObject({ reasonCode: 0x88 });
    expect(effects.afterEnd).toEqual([]);
  });

  test("an end when a message is given on is the last effect", () => {
    const scene = opened(new Scene({ receiveMaximum: 1 }), { version: 4 });
    const { connection, effects } = scene;
    effects.publish = () => connection.refused(0x97, "no room");
    scene.client(wire.publish(4, "a", { qos: 1 }), wire.pingreq());
    expect(effects.ending).toMatchObject({ reasonCode: 0x97 });
    expect(effects.afterEnd).toEqual([]);
  });

  test("a receipt may be gone at once", () => {
    const scene = opened(new Scene());
    const { connection, effects } = scene;
    effects.forget = (packetId) => connection.forgotten(packetId);
    scene.client(wire.publish(5, "a", { qos: 2, packetId: 7 }));
    connection.answered(0, 0);
    scene.client(wire.ack(6, 7));
    expect(effects.acks).toEqual([
      { type: 5, packetId: 7, reasonCode: 0 },
      { type: 7, packetId: 7, reasonCode: 0 },
    ]);
  });

  test("[MQTT-4.6.0-2] packets that come of going on are answered behind what made room", () => {
    const scene = opened(new Scene({ receiveMaximum: 2 }), { version: 4 });
    const { connection, effects } = scene;
    const publish = (packetId: number) => wire.publish(4, "denied/a", { qos: 1, packetId });
    scene.client(
      wire.publish(4, "a", { qos: 1, packetId: 1 }),
      wire.publish(4, "a", { qos: 1, packetId: 2 }),
      ...[3, 4, 5].map(publish),
    );
    expect(effects.holding).toBe(true);
    connection.answered(1, 0);
    expect(effects.acks).toEqual([]);
    connection.answered(0, 0);
    expect(effects.acks.map(({ packetId }) => packetId)).toEqual([1, 2, 3, 4, 5]);
    expect(connection.answers.size).toBe(0);
    scene.client(wire.publish(4, "a", { qos: 1, packetId: 6 }));
    expect(effects.published.at(-1)).toMatchObject({ slot: 5 });
  });

  test("the end of a v3 client in the middle of its answers is the last effect", () => {
    const scene = opened(new Scene(), { version: 4 });
    const { connection, effects } = scene;
    for (const packetId of [1, 2, 3]) {
      scene.client(wire.publish(4, "a", { qos: 1, packetId }));
    }
    connection.answered(2, 0);
    connection.answered(1, 0x97);
    connection.answered(0, 0);
    expect(effects.acks.map(({ packetId }) => packetId)).toEqual([1]);
    expect(effects.ending).toMatchObject({ reasonCode: 0x97 });
    expect(effects.afterEnd).toEqual([]);
  });
});
