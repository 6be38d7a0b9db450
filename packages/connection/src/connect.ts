import type { Connack, Connect } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import { topicNameError } from "@canopy/topic";
import { OutboundAliases } from "./aliases.ts";
import type { Connection } from "./connection.ts";
import type { OpenedSession } from "./effects.ts";
import type { ConnectionSettings } from "./settings.ts";
import { Window } from "./window.ts";

const NEVER = 0xff_ff_ff_ff;

/** CONNECT (section 3.1): checks it, then asks for authentication. */
export function handleConnect<S>(c: Connection<S>, packet: Connect): void {
  if (c.phase !== "new") {
    c.fail(REASON.protocolError, "a second CONNECT"); // [MQTT-3.1.0-2]
    return;
  }
  c.phase = "authenticating";
  c.version = packet.version;
  c.connect = packet;
  c.problemInformation = packet.version === 5 && packet.requestProblemInformation;
  c.effects.hold(true);
  const refusal = refuse(c, packet);
  if (refusal !== undefined) {
    c.fail(refusal[0], refusal[1]);
    return;
  }
  // [MQTT-3.1.3-6] [MQTT-3.1.3-7]
  c.clientId = packet.clientId === "" ? c.effects.assignClientId() : packet.clientId;
  prepare(c, packet);
  c.authPending = true;
  if (packet.authenticationMethod === undefined) c.effects.authenticate(packet, c.clientId);
  else c.effects.exchange(packet.authenticationMethod, packet.authenticationData, true, false);
}

function refuse<S>(c: Connection<S>, packet: Connect): [number, string] | undefined {
  const { clientId, will, version } = packet;
  if (clientId === "" && (version === 3 || (version === 4 && !packet.cleanStart))) {
    // [v3:MQTT-3.1.3-8]; 3.1 has no empty identifier at all
    return [REASON.clientIdentifierNotValid, "an empty client identifier needs a clean session"];
  }
  if (Buffer.byteLength(clientId) > c.settings.maxClientIdLength) {
    return [
      REASON.clientIdentifierNotValid,
      `the client identifier is longer than ${c.settings.maxClientIdLength} bytes`,
    ];
  }
  if (will === undefined) return undefined;
  if (topicNameError(will.topic) !== undefined) {
    return [REASON.topicNameInvalid, "the will's topic name is not valid"];
  }
  if (tooLong(c, will.topic)) return [REASON.topicNameInvalid, "the will's topic name is too long"];
  if (will.qos > c.settings.maximumQos) {
    return [REASON.qosNotSupported, `the highest QoS here is ${c.settings.maximumQos}`]; // [MQTT-3.2.2-12]
  }
  if (will.retain && !c.settings.retainAvailable) {
    return [REASON.retainNotSupported, "retained messages are not supported"]; // [MQTT-3.2.2-13]
  }
  return undefined;
}

function tooLong<S>(c: Connection<S>, topic: string): boolean {
  return (
    Buffer.byteLength(topic) > c.settings.maxTopicLength ||
    topic.split("/").length > c.settings.maxTopicLevels
  );
}

function prepare<S>(c: Connection<S>, packet: Connect): void {
  const { settings } = c;
  c.window = new Window<S>(Math.min(packet.receiveMaximum, settings.maxInflight));
  c.aliases = new OutboundAliases(
    Math.min(packet.topicAliasMaximum, settings.topicAliasMaximumOutbound),
  );
  c.expiry = Math.min(requestedExpiry(packet), settings.maxSessionExpiry);
  c.keepAlive = grantedKeepAlive(settings, packet);
}

/** v3 clients can't be told another value than theirs. */
function grantedKeepAlive(settings: ConnectionSettings, packet: Connect): number {
  const { keepAlive, version } = packet;
  if (version !== 5) return keepAlive;
  if (settings.serverKeepAlive !== undefined) return settings.serverKeepAlive;
  const limit = settings.maxKeepAlive;
  return limit > 0 && (keepAlive === 0 || keepAlive > limit) ? limit : keepAlive;
}

function requestedExpiry(packet: Connect): number {
  if (packet.version === 5) return packet.sessionExpiry ?? 0;
  return packet.cleanStart ? 0 : NEVER;
}

/** After authentication: the will's permission, then the session. */
export function openSession<S>(c: Connection<S>): void {
  const connect = c.connect as Connect;
  c.authPending = false;
  const reason = connect.will === undefined ? 0 : c.effects.mayLeaveWill(connect);
  if (reason !== 0) {
    c.fail(reason, "not allowed to leave this will");
    return;
  }
  c.phase = "opening";
  c.effects.open({
    connect,
    clientId: c.clientId,
    cleanStart: connect.cleanStart,
    expiry: c.expiry,
  });
}

/** The session is open: CONNACK, then everything else [MQTT-3.2.0-1]. */
export function acceptConnection<S>(c: Connection<S>, session: OpenedSession): void {
  const connect = c.connect as Connect;
  c.phase = "open";
  c.resumed = session.sessionPresent;
  c.effects.send(c.version === 5 ? connack5(c, connect, session) : connack3(c, session));
  c.effects.keepAlive(c.keepAlive * 1500); // one and a half times [MQTT-3.1.2-22]
  c.effects.started();
  if (c.phase === "open") c.effects.hold(false);
}

function connack3<S>(c: Connection<S>, session: OpenedSession): Connack {
  // 3.1 has no session present flag
  const sessionPresent = c.version === 4 && session.sessionPresent;
  return { type: "connack", sessionPresent, reasonCode: 0 };
}

function connack5<S>(c: Connection<S>, connect: Connect, session: OpenedSession): Connack {
  const { settings } = c;
  return {
    type: "connack",
    sessionPresent: session.sessionPresent,
    reasonCode: REASON.success,
    maximumPacketSize: settings.maxPacketSize,
    receiveMaximum: settings.receiveMaximum,
    topicAliasMaximum: settings.topicAliasMaximum,
    ...(c.expiry === (connect.sessionExpiry ?? 0) ? {} : { sessionExpiry: c.expiry }),
    ...(settings.maximumQos < 2 ? { maximumQos: settings.maximumQos as 0 | 1 } : {}),
    ...(settings.retainAvailable ? {} : { retainAvailable: false }),
    ...(settings.wildcardSubscriptionAvailable ? {} : { wildcardSubscriptionAvailable: false }),
    ...(settings.sharedSubscriptionAvailable ? {} : { sharedSubscriptionAvailable: false }),
    ...(settings.subscriptionIdentifiersAvailable
      ? {}
      : { subscriptionIdentifiersAvailable: false }),
    ...(connect.clientId === "" ? { assignedClientIdentifier: c.clientId } : {}), // [MQTT-3.2.2-16]
    ...(c.keepAlive === connect.keepAlive ? {} : { serverKeepAlive: c.keepAlive }),
    ...(connect.requestResponseInformation
      ? { responseInformation: `responses/${c.clientId}` }
      : {}),
    ...(connect.authenticationMethod === undefined
      ? {}
      : { authenticationMethod: connect.authenticationMethod }),
    ...(c.authData === undefined ? {} : { authenticationData: c.authData }),
  };
}
