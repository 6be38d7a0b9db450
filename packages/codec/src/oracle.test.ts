import fc from "fast-check";
import type { Packet } from "mqtt-packet";
import { describe, expect, it } from "vitest";
import { generateOne } from "../test/oracle.ts";
import { decode, decodeFirst, type Seen } from "../test/wire.ts";
import type { QoS, Version } from "./index.ts";

// What mqtt-packet writes, our decoder must read as it was meant.

const text = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .map((value) => value.replaceAll("\0", ""));
const name = text.map((value) => `n${value}`);
const topic = name.map((value) => value.replace(/[+#]/g, "_"));
const binary = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value));
const u16 = fc.integer({ min: 1, max: 65_535 });
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });
const qos = fc.constantFrom<QoS>(0, 1, 2);
const version = fc.constantFrom<Version>(3, 4, 5);
// Names that an object keeps in order, each with one value or more.
const users = fc.uniqueArray(fc.tuple(name, fc.array(text, { minLength: 1, maxLength: 3 })), {
  selector: ([key]) => key,
  maxLength: 3,
});
type Users = [string, string[]][];

const toObject = (list: Users): Record<string, string[]> => Object.fromEntries(list);
const toPairs = (list: Users): [string, string][] =>
  list.flatMap(([key, values]) => values.map((value): [string, string] => [key, value]));

/** Optional properties: only those that are there. */
function some<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const forwarded = {
  payloadFormatIndicator: fc.boolean(),
  contentType: text,
  responseTopic: topic,
  correlationData: binary,
  userProperties: users,
};

function withUsers<T extends { userProperties?: Users }>(properties: T): object {
  const { userProperties = [], ...rest } = properties;
  return userProperties.length === 0 ? rest : { ...rest, userProperties: toObject(userProperties) };
}

function reads(generated: Packet, of: Version, expected: object): void {
  const bytes = generateOne(generated, of);
  const seen: Seen[] = generated.cmd === "connect" ? decodeFirst(bytes) : decode(of, bytes);
  expect(seen).toMatchObject([expected]);
}

describe("packets that mqtt-packet writes", () => {
  it("PUBLISH", () => {
    const message = fc.record({
      topic,
      qos,
      dup: fc.boolean(),
      retain: fc.boolean(),
      messageId: u16,
      payload: binary,
    });
    const properties = some({ ...forwarded, messageExpiryInterval: u32, topicAlias: u16 });
    fc.assert(
      fc.property(version, message, properties, (of, parts, list) => {
        const dup = parts.dup && parts.qos > 0;
        const v5 = of === 5;
        const extra = v5 ? { properties: withUsers(list) } : {};
        reads({ cmd: "publish", ...parts, dup, ...extra }, of, {
          type: "publish",
          topic: parts.topic,
          qos: parts.qos,
          dup,
          retain: parts.retain,
          packetId: parts.qos > 0 ? parts.messageId : 0,
          payload: parts.payload,
          topicAlias: (v5 && list.topicAlias) || -1,
          messageExpiry: (v5 && list.messageExpiryInterval) || -1,
          utf8Payload: v5 && list.payloadFormatIndicator === true,
        });
      }),
    );
  });

  it("CONNECT", () => {
    const parts = fc.record({
      clientId: name,
      clean: fc.boolean(),
      keepalive: fc.nat(65_535),
      username: fc.option(text, { nil: undefined }),
      password: fc.option(binary, { nil: undefined }),
    });
    const properties = some({
      sessionExpiryInterval: u32,
      receiveMaximum: u16,
      maximumPacketSize: u32,
      topicAliasMaximum: u16,
      requestResponseInformation: fc.boolean(),
      requestProblemInformation: fc.boolean(),
      authenticationMethod: name,
      userProperties: users,
    });
    const will = fc.record({ topic, payload: binary, qos, retain: fc.boolean() });
    const willProperties = some({
      ...forwarded,
      willDelayInterval: u32,
      messageExpiryInterval: u32,
    });
    const optionalWill = fc.option(fc.tuple(will, willProperties), { nil: undefined });
    fc.assert(
      fc.property(version, parts, properties, optionalWill, (of, values, list, last) => {
        const { username, password, ...plain } = values;
        const v5 = of === 5;
        const [message, ofMessage = {}] = last ?? [];
        const protocolId = of === 3 ? ("MQIsdp" as const) : ("MQTT" as const);
        const withPassword = password !== undefined && username !== undefined;
        const generated = {
          cmd: "connect" as const,
          protocolId,
          protocolVersion: of,
          ...plain,
          ...(username !== undefined && { username }),
          ...(withPassword && { password }),
          ...(v5 && { properties: withUsers(list) }),
          ...(message && { will: { ...message, ...(v5 && { properties: withUsers(ofMessage) }) } }),
        };
        reads(generated, of, {
          type: "connect",
          version: of,
          clientId: values.clientId,
          cleanStart: values.clean,
          keepAlive: values.keepalive,
          userName: username,
          password: withPassword ? new Uint8Array(password) : undefined,
          sessionExpiry: v5 ? list.sessionExpiryInterval : undefined,
          receiveMaximum: (v5 && list.receiveMaximum) || 65_535,
          maximumPacketSize: v5 ? list.maximumPacketSize : undefined,
          topicAliasMaximum: (v5 && list.topicAliasMaximum) || 0,
          requestResponseInformation: v5 && (list.requestResponseInformation ?? false),
          requestProblemInformation: !v5 || (list.requestProblemInformation ?? true),
          authenticationMethod: v5 ? list.authenticationMethod : undefined,
          userProperties: v5 ? toPairs(list.userProperties ?? []) : [],
          will: message && {
            ...message,
            payload: new Uint8Array(message.payload),
            delay: (v5 && ofMessage.willDelayInterval) || 0,
            expiry: v5 ? ofMessage.messageExpiryInterval : undefined,
            utf8Payload: v5 && ofMessage.payloadFormatIndicator === true,
          },
        });
      }),
    );
  });

  it("SUBSCRIBE and UNSUBSCRIBE", () => {
    const subscription = fc.record({
      topic: name,
      qos,
      nl: fc.boolean(),
      rap: fc.boolean(),
      rh: fc.nat(2),
    });
    const subscriptions = fc.array(subscription, { minLength: 1, maxLength: 5 });
    const properties = some({
      subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }),
      userProperties: users,
    });
    fc.assert(
      fc.property(version, u16, subscriptions, properties, (of, messageId, list, extra) => {
        const v5 = of === 5;
        const properties = v5 ? { properties: withUsers(extra) } : {};
        reads({ cmd: "subscribe", messageId, subscriptions: list, ...properties }, of, {
          type: "subscribe",
          packetId: messageId,
          subscriptions: list.map((one) => ({
            filter: one.topic,
            qos: one.qos,
            noLocal: v5 && one.nl,
            retainAsPublished: v5 && one.rap,
            retainHandling: v5 ? one.rh : 0,
          })),
          subscriptionIdentifier: v5 ? extra.subscriptionIdentifier : undefined,
          userProperties: v5 ? toPairs(extra.userProperties ?? []) : [],
        });
        const unsubscriptions = list.map((one) => one.topic);
        const only = v5
          ? { properties: withUsers({ userProperties: extra.userProperties ?? [] }) }
          : {};
        reads({ cmd: "unsubscribe", messageId, unsubscriptions, ...only }, of, {
          type: "unsubscribe",
          packetId: messageId,
          filters: unsubscriptions,
          userProperties: v5 ? toPairs(extra.userProperties ?? []) : [],
        });
      }),
    );
  });

  it("PUBACK, PUBREC, PUBREL and PUBCOMP", () => {
    const commands = fc.constantFrom("puback" as const, "pubrec", "pubrel", "pubcomp");
    const types = { puback: 4, pubrec: 5, pubrel: 6, pubcomp: 7 } as const;
    const properties = fc.option(some({ reasonString: text, userProperties: users }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(version, commands, u16, fc.boolean(), properties, (of, cmd, id, ok, list) => {
        const bad = types[cmd] < 6 ? 0x97 : 0x92;
        const reasonCode = ok ? 0 : bad;
        const extra = list === undefined ? {} : { properties: withUsers(list) };
        reads({ cmd, messageId: id, reasonCode, ...extra }, of, {
          type: types[cmd],
          packetId: id,
          reasonCode: of === 5 ? reasonCode : 0,
        });
      }),
    );
  });

  it("DISCONNECT, AUTH and PINGREQ", () => {
    const properties = some({
      sessionExpiryInterval: u32,
      reasonString: text,
      userProperties: users,
    });
    fc.assert(
      fc.property(version, properties, name, (of, list, authenticationMethod) => {
        reads({ cmd: "pingreq" }, of, { type: "pingreq" });
        const v5 = of === 5;
        const userProperties = v5 ? toPairs(list.userProperties ?? []) : [];
        const extra = v5 ? { properties: withUsers(list) } : {};
        reads({ cmd: "disconnect", reasonCode: 4, ...extra }, of, {
          type: "disconnect",
          reasonCode: v5 ? 4 : 0,
          sessionExpiry: v5 ? list.sessionExpiryInterval : undefined,
          reasonString: v5 ? list.reasonString : undefined,
          userProperties,
        });
        const { sessionExpiryInterval: _none, ...rest } = list;
        const auth = { ...withUsers(rest), authenticationMethod };
        reads({ cmd: "auth", reasonCode: 0x19, properties: auth }, 5, {
          type: "auth",
          reasonCode: 0x19,
          authenticationMethod,
          reasonString: list.reasonString,
        });
      }),
    );
  });
});
