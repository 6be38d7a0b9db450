import { describe, expect, it } from "vitest";
import { parseOne } from "../test/oracle.ts";
import { type Bytes, bytes, packet, props, str, u16, userProperty } from "../test/wire.ts";
import { encode, type UserProperties } from "./index.ts";

/** An order and names that an object of JavaScript would not keep. */
const userProperties: UserProperties = [
  ["b", "1"],
  ["2", "x"],
  ["b", "3"],
  ["__proto__", "y"],
  ["", ""],
  ["1", "ä"],
];
const onWire = Buffer.concat(userProperties.map(([name, value]) => userProperty(name, value)));

describe("encode", () => {
  it("CONNACK of MQTT 3 has only a return code", () => {
    for (const version of [3, 4] as const) {
      const connack = {
        type: "connack",
        sessionPresent: true,
        reasonCode: 0,
        receiveMaximum: 9,
      } as const;
      expect(encode(connack, version)).toEqual(Buffer.of(0x20, 2, 1, 0));
      const refusal = { ...connack, sessionPresent: false, reasonCode: 5 };
      expect(encode(refusal, version)).toEqual(Buffer.of(0x20, 2, 0, 5));
    }
  });

  it("[MQTT-2.2.2-1] [MQTT-3.2.2-1] CONNACK without properties", () => {
    const connack = { type: "connack", sessionPresent: false, reasonCode: 0x87 } as const;
    expect(encode(connack, 5)).toEqual(Buffer.of(0x20, 3, 0, 0x87, 0));
  });

  it("CONNACK with all properties", () => {
    const values = {
      sessionExpiry: 0,
      receiveMaximum: 100,
      maximumQos: 1,
      retainAvailable: false,
      maximumPacketSize: 0xffff_ffff,
      assignedClientIdentifier: "id",
      topicAliasMaximum: 0,
      reasonString: "why",
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 65_535,
      responseInformation: "re/",
      serverReference: "other",
      authenticationMethod: "SCRAM",
      authenticationData: new Uint8Array([1, 0, 2]),
    } as const;
    const written = encode({ type: "connack", sessionPresent: true, reasonCode: 0, ...values }, 5);
    const { sessionExpiry, maximumQos, authenticationData, ...same } = values;
    expect(parseOne("connack", written, 5)).toMatchObject({
      sessionPresent: true,
      reasonCode: 0,
      properties: {
        ...same,
        sessionExpiryInterval: sessionExpiry,
        maximumQoS: maximumQos,
        authenticationData: Buffer.from(authenticationData),
      },
    });
  });

  it("keeps the order of user properties in every packet", () => {
    const list = (...before: Bytes[]) => props(...before, onWire);
    const connack = {
      type: "connack",
      sessionPresent: false,
      reasonCode: 0,
      userProperties,
    } as const;
    expect(encode(connack, 5)).toEqual(packet(0x20, 0, 0, list()));
    const acks = [
      ["puback", 0x40],
      ["pubrec", 0x50],
      ["pubrel", 0x62],
      ["pubcomp", 0x70],
    ] as const;
    for (const [type, first] of acks) {
      expect(encode({ type, packetId: 9, reasonCode: 0, userProperties }, 5)).toEqual(
        packet(first, u16(9), 0, list()),
      );
    }
    expect(encode({ type: "suback", packetId: 9, reasonCodes: [1], userProperties }, 5)).toEqual(
      packet(0x90, u16(9), list(), 1),
    );
    expect(encode({ type: "unsuback", packetId: 9, reasonCodes: [0], userProperties }, 5)).toEqual(
      packet(0xb0, u16(9), list(), 0),
    );
    expect(encode({ type: "disconnect", reasonCode: 0x8e, userProperties }, 5)).toEqual(
      packet(0xe0, 0x8e, list()),
    );
    const method = bytes(0x15, str("m"));
    const auth = {
      type: "auth",
      reasonCode: 0x18,
      authenticationMethod: "m",
      userProperties,
    } as const;
    expect(encode(auth, 5)).toEqual(packet(0xf0, 0x18, list(method)));
  });

  it("acknowledgements with a reason string", () => {
    const ack = { type: "puback", packetId: 1, reasonCode: 0x97, reasonString: "full" } as const;
    expect(encode(ack, 5)).toEqual(packet(0x40, u16(1), 0x97, props(0x1f, str("full"))));
    expect(encode(ack, 4)).toEqual(packet(0x40, u16(1)));
    const pubrel = { type: "pubrel", packetId: 2, reasonCode: 0x92 } as const;
    expect(encode(pubrel, 5)).toEqual(packet(0x62, u16(2), 0x92, 0));
  });

  it("[MQTT-3.9.3-1] SUBACK has its reason codes in order", () => {
    const suback = { type: "suback", packetId: 5, reasonCodes: [2, 0x80, 0, 1] } as const;
    expect(encode(suback, 5)).toEqual(packet(0x90, u16(5), 0, [2, 0x80, 0, 1]));
    expect(encode(suback, 4)).toEqual(packet(0x90, u16(5), [2, 0x80, 0, 1]));
    const why = { ...suback, reasonString: "no" };
    expect(encode(why, 5)).toEqual(packet(0x90, u16(5), props(0x1f, str("no")), [2, 0x80, 0, 1]));
  });

  it("[MQTT-3.11.3-1] UNSUBACK has its reason codes in order, but none in MQTT 3", () => {
    const unsuback = { type: "unsuback", packetId: 5, reasonCodes: [0x11, 0] } as const;
    expect(encode(unsuback, 5)).toEqual(packet(0xb0, u16(5), 0, [0x11, 0]));
    expect(encode(unsuback, 4)).toEqual(packet(0xb0, u16(5)));
  });

  it("PINGRESP", () => {
    for (const version of [3, 4, 5] as const) {
      expect(encode({ type: "pingresp" }, version)).toEqual(Buffer.of(0xd0, 0));
    }
  });

  it("DISCONNECT and AUTH of MQTT 5 only", () => {
    const disconnect = {
      type: "disconnect",
      reasonCode: 0x9c,
      reasonString: "go",
      serverReference: "there",
    } as const;
    expect(parseOne("disconnect", encode(disconnect, 5), 5)).toMatchObject({
      reasonCode: 0x9c,
      properties: { reasonString: "go", serverReference: "there" },
    });
    const auth = {
      type: "auth",
      reasonCode: 0x18,
      authenticationMethod: "m",
      authenticationData: new Uint8Array([7]),
    } as const;
    expect(parseOne("auth", encode(auth, 5), 5)).toMatchObject({
      reasonCode: 0x18,
      properties: { authenticationMethod: "m", authenticationData: Buffer.of(7) },
    });
    expect(() => encode(disconnect, 4)).toThrow(RangeError);
    expect(() => encode(auth, 4)).toThrow(RangeError);
  });
});
