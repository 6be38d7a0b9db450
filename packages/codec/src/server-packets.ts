import { generatePacket, type PacketOf } from "./mqtt-packet.ts";
import type {
  Connack,
  ServerAuth,
  ServerDisconnect,
  ServerPacket,
  UserProperties,
  Version,
} from "./packets.ts";

type ToGenerate = Parameters<typeof generatePacket>[0];
type ConnackProperties = NonNullable<PacketOf<"connack">["properties"]>;
type NamedValues = NonNullable<ConnackProperties["userProperties"]>;

/** Encodes what the broker sends apart from PUBLISH and plain acknowledgements. */
export function encode(packet: ServerPacket, version: Version): Buffer {
  return generatePacket(toGenerate(packet, version), version);
}

function toGenerate(packet: ServerPacket, version: Version): ToGenerate {
  switch (packet.type) {
    case "connack":
      return connack(packet, version);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return {
        cmd: packet.type,
        messageId: packet.packetId,
        reasonCode: packet.reasonCode,
        properties: problem(packet),
      };
    case "suback":
    case "unsuback":
      return {
        cmd: packet.type,
        messageId: packet.packetId,
        granted: [...packet.reasonCodes],
        properties: problem(packet),
      };
    case "pingresp":
      return { cmd: "pingresp" };
    case "disconnect":
    case "auth":
      if (version !== 5) throw new RangeError(`${packet.type} to a client of MQTT 3`);
      return packet.type === "auth" ? auth(packet) : disconnect(packet);
    default:
      return packet satisfies never;
  }
}

function connack(packet: Connack, version: Version): ToGenerate {
  const { sessionPresent, reasonCode } = packet;
  if (version !== 5) return { cmd: "connack", sessionPresent, returnCode: reasonCode };
  return {
    cmd: "connack",
    sessionPresent,
    reasonCode,
    properties: defined<ConnackProperties>({
      sessionExpiryInterval: packet.sessionExpiry,
      receiveMaximum: packet.receiveMaximum,
      maximumQoS: packet.maximumQos,
      retainAvailable: packet.retainAvailable,
      maximumPacketSize: packet.maximumPacketSize,
      assignedClientIdentifier: packet.assignedClientIdentifier,
      topicAliasMaximum: packet.topicAliasMaximum,
      reasonString: packet.reasonString,
      wildcardSubscriptionAvailable: packet.wildcardSubscriptionAvailable,
      subscriptionIdentifiersAvailable: packet.subscriptionIdentifiersAvailable,
      sharedSubscriptionAvailable: packet.sharedSubscriptionAvailable,
      serverKeepAlive: packet.serverKeepAlive,
      responseInformation: packet.responseInformation,
      serverReference: packet.serverReference,
      authenticationMethod: packet.authenticationMethod,
      authenticationData: bufferOf(packet.authenticationData),
      userProperties: inOrder(packet.userProperties),
    }),
  };
}

function disconnect(packet: ServerDisconnect): ToGenerate {
  return {
    cmd: "disconnect",
    reasonCode: packet.reasonCode,
    properties: { ...problem(packet), ...defined({ serverReference: packet.serverReference }) },
  };
}

function auth(packet: ServerAuth): ToGenerate {
  return {
    cmd: "auth",
    reasonCode: packet.reasonCode,
    properties: {
      authenticationMethod: packet.authenticationMethod,
      ...defined({ authenticationData: bufferOf(packet.authenticationData) }),
      ...problem(packet),
    },
  };
}

interface Problem {
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

function problem(packet: Problem): { reasonString?: string; userProperties?: NamedValues } {
  return defined({
    reasonString: packet.reasonString,
    userProperties: inOrder(packet.userProperties),
  });
}

/**
 * mqtt-packet takes an object of names, which would lose the order. It also takes a list of such
 * objects, though its types do not say so: one for each property keeps it.
 */
function inOrder(properties: UserProperties | undefined): NamedValues | undefined {
  if (properties === undefined || properties.length === 0) return undefined;
  return properties.map(([name, value]) => ({ [name]: value })) as unknown as NamedValues;
}

function bufferOf(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Without the properties that are undefined. */
function defined<T extends object>(values: { [K in keyof T]: T[K] | undefined }): T {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}
