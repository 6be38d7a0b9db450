import type { ServerPacket } from "@canopy/codec";
import { connackReason, disconnectReason } from "@canopy/codec/reason";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { publishedCode, subscribedCode, unsubscribedCode } from "../src/reason-codes.ts";
import { connectFields, Driver, type Step, steps } from "./driver.ts";
import { Scene } from "./scene.ts";
import * as wire from "./wire.ts";

const RUNS = { numRuns: 400 };

/** Connects in most runs; in the others the steps have to. */
const start = fc.option(connectFields, { freq: 5, nil: undefined });

/** Does all steps; `check` after each. */
function drive(
  fields: wire.ConnectFields | undefined,
  all: readonly Step[],
  check: (driver: Driver) => void = () => {},
): Driver {
  const driver = new Driver();
  if (fields !== undefined) driver.connect(fields);
  for (const step of all) {
    driver.do(step);
    check(driver);
  }
  return driver;
}

function ofType<T extends ServerPacket["type"]>(
  packets: readonly ServerPacket[],
  type: T,
): Extract<ServerPacket, { type: T }>[] {
  return packets.filter((packet) => packet.type === type) as Extract<ServerPacket, { type: T }>[];
}

describe("whatever comes", () => {
  test("[MQTT-3.14.4-1] [MQTT-4.13.2-1] nothing is thrown, and nothing comes after the end", () => {
    fc.assert(
      fc.property(start, steps, (fields, all) => {
        const { effects } = drive(fields, all).scene;
        expect(effects.afterEnd).toEqual([]);
        const isRefused = effects.sent.some(
          (packet) =>
            packet.type === "disconnect" ||
            (packet.type === "connack" && packet.reasonCode >= 0x80),
        );
        expect(!isRefused || effects.ending?.by === "server").toBe(true);
      }),
      RUNS,
    );
  });

  test("[MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.14.0-1] one CONNACK, and only AUTH before it", () => {
    fc.assert(
      fc.property(start, steps, (fields, all) => {
        const { effects } = drive(fields, all).scene;
        const types = effects.sent.map(({ type }) => type);
        const first = types.findIndex((type) => type !== "auth");
        expect([undefined, "connack"]).toContain(types[first]);
        expect(ofType(effects.sent, "connack").length).toBeLessThanOrEqual(1);
        const isOpen = ofType(effects.sent, "connack").some(({ reasonCode }) => reasonCode === 0);
        expect(
          isOpen || effects.acks.length + ofType(effects.sent, "disconnect").length === 0,
        ).toBe(true);
      }),
      RUNS,
    );
  });

  test("[MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1] every packet's reason code is one of its own", () => {
    fc.assert(
      fc.property(start, steps, (fields, all) => {
        const { connection, effects } = drive(fields, all).scene;
        const isV5 = connection.version === 5;
        for (const { type, reasonCode } of effects.acks) {
          const codes =
            type < 6 ? publishedCode(reasonCode) : [0, 0x92].find((c) => c === reasonCode);
          expect(codes).toBe(reasonCode);
        }
        for (const packet of isV5 ? effects.sent : []) expect(withItsCodes(packet)).toEqual(packet);
      }),
      RUNS,
    );
  });

  test("[MQTT-3.2.2-20] [MQTT-3.4.2-3] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3] nothing has user properties, and PUBREL, PUBCOMP, UNSUBACK and AUTH have no reason string", () => {
    fc.assert(
      fc.property(start, steps, (fields, all) => {
        const { sent } = drive(fields, all).scene.effects;
        for (const packet of sent) {
          expect(packet).not.toHaveProperty("userProperties");
          expect(["pubrel", "pubcomp"]).not.toContain(packet.type);
        }
        for (const packet of [...ofType(sent, "unsuback"), ...ofType(sent, "auth")]) {
          expect(packet).not.toHaveProperty("reasonString");
        }
      }),
      RUNS,
    );
  });

  test("[MQTT-3.1.2-29] no reason string beside CONNACK and DISCONNECT where none is wanted", () => {
    fc.assert(
      fc.property(connectFields, steps, (fields, all) => {
        const { sent } = drive({ ...fields, problemInformation: false }, all).scene.effects;
        const told = sent.filter((packet) => "reasonString" in packet).map(({ type }) => type);
        expect(told.filter((type) => type !== "connack" && type !== "disconnect")).toEqual([]);
      }),
      RUNS,
    );
  });

  test("[MQTT-3.14.2-2] a DISCONNECT has a reason code and a reason string, nothing else", () => {
    fc.assert(
      fc.property(start, steps, (fields, all) => {
        const { sent } = drive(fields, all).scene.effects;
        for (const packet of ofType(sent, "disconnect")) {
          expect(Object.keys(packet).sort()).toEqual(["reasonCode", "reasonString", "type"]);
        }
      }),
      RUNS,
    );
  });

  test("[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] never more in flight than the client's Receive Maximum", () => {
    fc.assert(
      fc.property(connectFields, steps, (fields, all) => {
        const most = fields.version === 5 ? (fields.receiveMaximum as number) : 3;
        drive(fields, all, (driver) => {
          expect(driver.unfinishedOutbound).toBeLessThanOrEqual(Math.min(most, 3));
        });
      }),
      RUNS,
    );
  });

  test("[MQTT-3.3.4-7] never more taken at once than the server's Receive Maximum", () => {
    fc.assert(
      fc.property(connectFields, steps, (fields, all) => {
        drive(fields, all, ({ pendingSlots, scene }) => {
          const { connection } = scene;
          const most = connection.phase === "ended" ? Number.POSITIVE_INFINITY : 3;
          expect(pendingSlots.length).toBeLessThanOrEqual(most);
          expect(connection.unfinishedInbound).toBeGreaterThanOrEqual(0);
        });
      }),
      RUNS,
    );
  });

  test("[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6] [MQTT-3.10.4-4] [MQTT-3.10.4-5] every request has one answer, with a code for each filter", () => {
    const filters = fc.array(fc.constantFrom("a", "b/#", "c#", "denied/d"), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), filters)), (requests) => {
        const scene = new Scene({ maxSubscriptionsPerSession: 2 });
        const { connection, effects } = scene;
        scene.client(wire.connect());
        connection.authenticated();
        connection.opened({ sessionPresent: false });
        for (const [i, [isSubscribe, names]] of requests.entries()) {
          const wanted = names.map((filter) => ({ filter, options: 0 }));
          const bytes = isSubscribe
            ? wire.subscribe(5, i + 1, wanted)
            : wire.unsubscribe(5, i + 1, names);
          scene.client(bytes);
          effects.pendingSubscribes.shift()?.(names.map(() => 0));
          effects.pendingUnsubscribes.shift()?.(names.map(() => 0));
          expect(effects.sent.at(-1)).toMatchObject({
            type: isSubscribe ? "suback" : "unsuback",
            packetId: i + 1,
            reasonCodes: { length: names.length },
          });
        }
        expect(effects.sent).toHaveLength(requests.length + 1);
      }),
    );
  });
});

/** The packet, if its codes are such as it may have. */
function withItsCodes(packet: ServerPacket): ServerPacket {
  switch (packet.type) {
    case "connack":
      return { ...packet, reasonCode: connackReason(packet.reasonCode) };
    case "disconnect":
      return { ...packet, reasonCode: disconnectReason(packet.reasonCode) };
    case "puback":
    case "pubrec":
      return { ...packet, reasonCode: publishedCode(packet.reasonCode) };
    case "suback":
      return { ...packet, reasonCodes: packet.reasonCodes.map(subscribedCode) };
    case "unsuback":
      return { ...packet, reasonCodes: packet.reasonCodes.map(unsubscribedCode) };
    case "auth":
      return { ...packet, reasonCode: packet.reasonCode === 0 ? 0 : 0x18 };
    default:
      return packet;
  }
}

describe("QoS 1 and 2 of a client", () => {
  interface Sending {
    readonly packetId: number;
    readonly qos: 1 | 2;
    readonly dup: boolean;
  }
  const sending: fc.Arbitrary<Sending> = fc.record({
    packetId: fc.integer({ min: 1, max: 4 }),
    qos: fc.constantFrom(1, 2),
    dup: fc.boolean(),
  });
  const version = fc.constantFrom(4 as const, 5 as const);

  test("[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-2.2.1-5] PUBACK and PUBREC have the order and identifiers of their PUBLISHes", () => {
    fc.assert(
      fc.property(
        version,
        fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.nat())),
        (v, all) => {
          const driver = new Driver();
          driver.connect({ version: v });
          const { scene } = driver;
          const asked: (readonly [type: number, packetId: number])[] = [];
          for (const [i, [qos, pick]] of all.entries()) {
            if (scene.connection.unfinishedInbound >= 3) {
              driver.do({ by: "store", kind: "answer", pick, code: v === 5 ? 0x97 : 0 });
              continue;
            }
            asked.push([qos === 1 ? 4 : 5, i + 1]);
            scene.client(wire.publish(v, "a", { qos, packetId: i + 1 }));
          }
          while (driver.pendingSlots.length > 0)
            driver.do({ by: "store", kind: "answer", pick: 1, code: 0 });
          expect(answersIn(scene)).toEqual(asked.slice(0, answersIn(scene).length));
          expect(scene.connection.answers.size).toBe(0);
        },
      ),
    );
  });

  test("[MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT-4.3.2-5] a QoS 2 message is given on once until its PUBCOMP, a QoS 1 message each time", () => {
    const step = fc.oneof(
      sending,
      fc.record({ release: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ forget: fc.nat() }),
    );
    fc.assert(
      fc.property(version, fc.array(step, { maxLength: 60 }), (v, all) => {
        const driver = new Driver();
        driver.connect({ version: v });
        const { connection, effects } = driver.scene;
        const unfinished = new Set<number>();
        let expected = 0;
        for (const one of all) {
          if (connection.phase === "ended") break;
          if ("forget" in one) {
            driver.do({ by: "store", kind: "forgotten", pick: one.forget, code: 0 });
            const completed = effects.acks.at(-1);
            if (completed?.type === 7) unfinished.delete(completed.packetId);
          } else if ("release" in one) {
            driver.scene.client(wire.ack(6, one.release));
          } else if (connection.unfinishedInbound < 3 || unfinished.has(one.packetId)) {
            if (one.qos === 1 && connection.unfinishedInbound >= 3) continue;
            driver.scene.client(wire.publish(v, "a", one));
            const isNew = one.qos === 1 || !unfinished.has(one.packetId);
            expected += isNew ? 1 : 0;
            if (one.qos === 2) unfinished.add(one.packetId);
            driver.do({ by: "store", kind: "answer", pick: 0, code: 0 });
          }
        }
        expect(effects.ending).toBeUndefined();
        expect(effects.published).toHaveLength(expected);
      }),
    );
  });
});

function answersIn({ effects }: Scene): (readonly [type: number, packetId: number])[] {
  return effects.trace.flatMap((line): [number, number][] => {
    const found = /^broker> (PUBACK|PUBREC) (\d+)/.exec(line);
    return found === null ? [] : [[found[1] === "PUBACK" ? 4 : 5, Number(found[2])]];
  });
}
