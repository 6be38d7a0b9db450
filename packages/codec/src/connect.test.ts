import { describe, expect, it } from "vitest";
import {
  bytes,
  connect,
  connectOf,
  decodeFirst,
  packet,
  props,
  refusal,
  str,
  u16,
  u32,
  userProperty,
} from "../test/wire.ts";

const refused = (frame: Buffer) => refusal(() => decodeFirst(bytes(frame, 0)));
const ill = [0xed, 0xa0, 0x80];

const CLEAN = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;

const plain = {
  type: "connect",
  version: 5,
  bridge: false,
  cleanStart: true,
  keepAlive: 60,
  clientId: "client",
  will: undefined,
  userName: undefined,
  password: undefined,
  sessionExpiry: undefined,
  receiveMaximum: 65_535,
  maximumPacketSize: undefined,
  topicAliasMaximum: 0,
  requestResponseInformation: false,
  requestProblemInformation: true,
  authenticationMethod: undefined,
  authenticationData: undefined,
  userProperties: [],
};

describe("CONNECT", () => {
  it("takes the defaults of the standard", () => {
    expect(decodeFirst(connect())).toEqual([plain]);
    expect(decodeFirst(connectOf(4))).toEqual([{ ...plain, version: 4 }]);
    expect(decodeFirst(connectOf(3))).toEqual([{ ...plain, version: 3 }]);
  });

  it("has all its properties", () => {
    const properties = props(
      bytes(0x11, u32(0xffff_ffff)),
      bytes(0x21, u16(20)),
      bytes(0x27, u32(1000)),
      bytes(0x22, u16(7)),
      bytes(0x19, 1),
      bytes(0x17, 0),
      userProperty("b", "1"),
      bytes(0x15, str("SCRAM")),
      userProperty("7", "2"),
      bytes(0x16, str([0, 1])),
      userProperty("b", "3"),
    );
    expect(decodeFirst(connect({ flags: 0, properties }))).toEqual([
      {
        ...plain,
        cleanStart: false,
        sessionExpiry: 0xffff_ffff,
        receiveMaximum: 20,
        maximumPacketSize: 1000,
        topicAliasMaximum: 7,
        requestResponseInformation: true,
        requestProblemInformation: false,
        authenticationMethod: "SCRAM",
        authenticationData: new Uint8Array([0, 1]),
        userProperties: [
          ["b", "1"],
          ["7", "2"],
          ["b", "3"],
        ],
      },
    ]);
  });

  it("[MQTT-3.1.3-1] has its payload's fields in order", () => {
    const payload = bytes(str("c"), [0], str("t"), str("w"), str("u"), str("p"));
    const flags = USER_NAME | PASSWORD | WILL | WILL_RETAIN | 0x08;
    expect(decodeFirst(connect({ flags, payload }))).toMatchObject([
      {
        clientId: "c",
        cleanStart: false,
        will: {
          topic: "t",
          payload: new Uint8Array([0x77]),
          qos: 1,
          retain: true,
          delay: 0,
          expiry: undefined,
          utf8Payload: false,
          properties: new Uint8Array(0),
        },
        userName: "u",
        password: new Uint8Array([0x70]),
      },
    ]);
  });

  it("[MQTT-3.1.3-10] keeps the will's properties to forward as they came, in order", () => {
    const first = bytes(userProperty("z", "1"), 0x01, 1);
    const second = bytes(0x08, str("re"), userProperty("a", "2"));
    const third = bytes(0x09, str([9]), 0x03, str("text"), userProperty("z", "3"));
    const properties = props(first, 0x18, u32(5), second, 0x02, u32(60), third);
    const payload = bytes(str("c"), properties, str("t"), str());
    expect(decodeFirst(connect({ flags: CLEAN | WILL, payload }))).toMatchObject([
      {
        will: {
          delay: 5,
          expiry: 60,
          utf8Payload: true,
          properties: new Uint8Array(Buffer.concat([first, second, third])),
          payload: new Uint8Array(0),
        },
      },
    ]);
  });

  it("has a will without properties in MQTT 3", () => {
    const payload = bytes(str("c"), str("t"), str("w"));
    expect(decodeFirst(connect({ level: 4, flags: CLEAN | WILL, payload }))).toMatchObject([
      { will: { topic: "t", payload: new Uint8Array([0x77]), delay: 0 } },
    ]);
  });

  it("[MQTT-3.1.3-5] takes client identifiers of 1 to 23 bytes, and longer ones", () => {
    for (const size of [1, 23, 24, 65_535]) {
      const clientId = "x".repeat(size);
      expect(decodeFirst(connect({ payload: str(clientId) }))).toMatchObject([{ clientId }]);
    }
  });

  it("leaves an empty client identifier to the caller", () => {
    for (const parts of [{}, { level: 4 }, { name: "MQIsdp", level: 3 }]) {
      expect(decodeFirst(connect({ ...parts, payload: str() }))).toMatchObject([{ clientId: "" }]);
    }
  });

  it("[MQTT-1.5.4-3] keeps a U+FEFF", () => {
    const clientId = "\ufeffid\ufeff";
    expect(decodeFirst(connect({ payload: str(clientId) }))).toMatchObject([{ clientId }]);
  });

  it("may have a password without a user name in MQTT 5, not in MQTT 3", () => {
    const parts = { flags: PASSWORD, payload: bytes(str("c"), str("p")) };
    expect(decodeFirst(connect(parts))).toMatchObject([{ userName: undefined }]);
    expect(refused(connect({ ...parts, level: 4 }))).toBe(0x81);
  });

  it("may have an empty user name and an empty password", () => {
    const parts = { flags: USER_NAME | PASSWORD, payload: bytes(str("c"), str(), str()) };
    expect(decodeFirst(connect(parts))).toMatchObject([
      { userName: "", password: new Uint8Array(0) },
    ]);
  });

  it("takes the bridge bit of the protocol level in MQTT 3", () => {
    const levels = [
      ["MQIsdp", 3],
      ["MQTT", 4],
    ] as const;
    for (const [name, version] of levels) {
      const frame = connect({ name, level: 0x80 | version });
      expect(decodeFirst(frame)).toMatchObject([{ version, bridge: true }]);
    }
    expect(refused(connect({ level: 0x85, properties: 0 }))).toBe(0x84);
  });
});

describe("CONNECT: what is refused", () => {
  it.each([
    ["MQTT", 3],
    ["MQTT", 6],
    ["MQTT", 0],
    ["MQIsdp", 4],
    ["MQIsdp", 5],
    ["mqtt", 4],
    ["MQTTX", 5],
    ["", 5],
  ])("[MQTT-3.1.2-1] [MQTT-3.1.2-2] protocol %j of level %i", (name, level) => {
    expect(refused(connect({ name, level }))).toBe(0x84);
  });

  const flags: readonly (readonly [name: string, flags: number])[] = [
    ["[MQTT-3.1.2-3] the reserved flag must be 0", 0x01],
    ["[MQTT-3.1.2-11] Will QoS 1 needs the Will Flag", 0x08],
    ["[MQTT-3.1.2-11] Will QoS 2 needs the Will Flag", 0x10],
    ["[MQTT-3.1.2-12] Will QoS must not be 3", WILL | 0x18],
    ["[MQTT-3.1.2-13] Will Retain needs the Will Flag", WILL_RETAIN],
  ];
  it.each(flags)("%s", (_name, set) => {
    for (const level of [4, 5]) {
      const will =
        level === 5 ? bytes(str("c"), 0, str("t"), str()) : bytes(str("c"), str("t"), str());
      const payload = (set & WILL) === 0 ? str("c") : will;
      expect(refused(connect({ level, flags: set, payload }))).toBe(0x81);
    }
  });

  const payloads: readonly (readonly [name: string, flags: number, payload: Buffer])[] = [
    ["[MQTT-3.1.3-3] the client identifier must be present", CLEAN, bytes()],
    ["[MQTT-3.1.3-4] the client identifier must be UTF-8", CLEAN, str(ill)],
    ["[MQTT-1.5.4-2] the client identifier has no U+0000", CLEAN, str("a\0")],
    ["[MQTT-3.1.2-9] a will has properties", WILL, str("c")],
    ["[MQTT-3.1.2-9] a will has a topic", WILL, bytes(str("c"), 0)],
    ["[MQTT-3.1.2-9] a will has a payload", WILL, bytes(str("c"), 0, str("t"))],
    ["[MQTT-3.1.3-11] the will topic must be UTF-8", WILL, bytes(str("c"), 0, str(ill), str())],
    ["[MQTT-1.5.4-2] the will topic has no U+0000", WILL, bytes(str("c"), 0, str("\0"), str())],
    ["[MQTT-3.1.2-17] the user name is there if its flag is", USER_NAME, str("c")],
    ["[MQTT-3.1.2-16] no user name without its flag", 0, bytes(str("c"), str("u"))],
    ["[MQTT-3.1.2-19] the password is there if its flag is", PASSWORD, str("c")],
    [
      "[MQTT-3.1.2-18] no password without its flag",
      USER_NAME,
      bytes(str("c"), str("u"), str("p")),
    ],
    ["[MQTT-3.1.3-12] the user name must be UTF-8", USER_NAME, bytes(str("c"), str(ill))],
    ["[MQTT-1.5.4-2] the user name has no U+0000", USER_NAME, bytes(str("c"), str("u\0"))],
    ["[MQTT-3.1.4-1] nothing stands behind the last field", CLEAN, bytes(str("c"), 0)],
  ];
  it.each(payloads)("%s", (_name, set, payload) => {
    expect(refused(connect({ flags: set, payload }))).toBe(0x81);
  });

  const properties: readonly (readonly [name: string, properties: Buffer, code: number])[] = [
    ["Receive Maximum 0", bytes(0x21, u16(0)), 0x82],
    ["Maximum Packet Size 0", bytes(0x27, u32(0)), 0x82],
    ["Request Response Information 2", bytes(0x19, 2), 0x82],
    ["Request Problem Information 2", bytes(0x17, 2), 0x82],
    ["authentication data without a method", bytes(0x16, str("x")), 0x82],
    ["[MQTT-1.5.4-1] an ill-formed authentication method", bytes(0x15, str(ill)), 0x81],
    ["[MQTT-1.5.7-1] an ill-formed user property", bytes(0x26, str("n"), str(ill)), 0x81],
    ["a property of another packet", bytes(0x23, u16(1)), 0x81],
    ["a property of the will", bytes(0x18, u32(1)), 0x81],
    ["an unknown property", bytes(0x2b, 0), 0x81],
    ["a property that is cut off", bytes(0x11, 0, 0, 0), 0x81],
  ];
  it.each(properties)("%s", (_name, list, code) => {
    expect(refused(connect({ properties: props(list) }))).toBe(code);
  });

  const once: readonly (readonly [name: string, property: Buffer])[] = [
    ["Session Expiry Interval", bytes(0x11, u32(0))],
    ["Receive Maximum", bytes(0x21, u16(1))],
    ["Maximum Packet Size", bytes(0x27, u32(9))],
    ["Topic Alias Maximum", bytes(0x22, u16(0))],
    ["Request Response Information", bytes(0x19, 0)],
    ["Request Problem Information", bytes(0x17, 1)],
    ["Authentication Method", bytes(0x15, str("m"))],
  ];
  it.each(once)("%s twice", (_name, property) => {
    expect(refused(connect({ properties: props(property) }))).toBeUndefined();
    expect(refused(connect({ properties: props(property, property) }))).toBe(0x82);
  });

  it("Authentication Data twice", () => {
    const data = bytes(0x16, str());
    expect(refused(connect({ properties: props(0x15, str("m"), data, data) }))).toBe(0x82);
  });

  const will: readonly (readonly [name: string, property: Buffer])[] = [
    ["Will Delay Interval", bytes(0x18, u32(0))],
    ["Payload Format Indicator", bytes(0x01, 0)],
    ["Message Expiry Interval", bytes(0x02, u32(0))],
    ["Content Type", bytes(0x03, str())],
    ["Response Topic", bytes(0x08, str("r"))],
    ["Correlation Data", bytes(0x09, str())],
  ];
  it.each(will)("the will's %s twice", (_name, property) => {
    const parts = (list: Buffer) => ({
      flags: WILL,
      payload: bytes(str("c"), props(list), str("t"), str()),
    });
    expect(refused(connect(parts(property)))).toBeUndefined();
    expect(refused(connect(parts(bytes(property, property))))).toBe(0x82);
  });

  it.each([
    ["a property of CONNECT itself", bytes(0x11, u32(0)), 0x81],
    ["a Payload Format Indicator of 2", bytes(0x01, 2), 0x82],
    ["a Response Topic with a wildcard", bytes(0x08, str("+")), 0x82],
    ["[MQTT-1.5.4-1] an ill-formed Content Type", bytes(0x03, str(ill)), 0x81],
    ["[MQTT-1.5.7-1] an ill-formed user property", bytes(0x26, str(ill), str()), 0x81],
  ])("a will with %s", (_name, list, code) => {
    const payload = bytes(str("c"), props(list), str("t"), str());
    expect(refused(connect({ flags: WILL, payload }))).toBe(code);
  });

  it("[MQTT-3.1.4-1] every cut of a valid packet", () => {
    const payload = bytes(str("c"), props(0x18, u32(1)), str("t"), str("w"), str("u"), str("p"));
    const flags = USER_NAME | PASSWORD | WILL;
    const body = connect({ flags, properties: props(0x21, u16(5)), payload }).subarray(2);
    expect(refused(packet(0x10, body))).toBeUndefined();
    for (let size = 0; size < body.length; size++) {
      expect(refused(packet(0x10, body.subarray(0, size))), `size ${size}`).toBe(0x81);
    }
  });
});
