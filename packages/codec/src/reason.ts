/** Reason codes of MQTT 5 (section 2.4). Codes that share a value have a constant for each use. */
export const REASON = {
  success: 0x00,
  normalDisconnection: 0x00,
  grantedQos0: 0x00,
  grantedQos1: 0x01,
  grantedQos2: 0x02,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, "Success"],
  [0x01, "Granted QoS 1"],
  [0x02, "Granted QoS 2"],
  [0x04, "Disconnect with Will Message"],
  [0x10, "No matching subscribers"],
  [0x11, "No subscription existed"],
  [0x18, "Continue authentication"],
  [0x19, "Re-authenticate"],
  [0x80, "Unspecified error"],
  [0x81, "Malformed Packet"],
  [0x82, "Protocol Error"],
  [0x83, "Implementation specific error"],
  [0x84, "Unsupported Protocol Version"],
  [0x85, "Client Identifier not valid"],
  [0x86, "Bad User Name or Password"],
  [0x87, "Not authorized"],
  [0x88, "Server unavailable"],
  [0x89, "Server busy"],
  [0x8a, "Banned"],
  [0x8b, "Server shutting down"],
  [0x8c, "Bad authentication method"],
  [0x8d, "Keep Alive timeout"],
  [0x8e, "Session taken over"],
  [0x8f, "Topic Filter invalid"],
  [0x90, "Topic Name invalid"],
  [0x91, "Packet Identifier in use"],
  [0x92, "Packet Identifier not found"],
  [0x93, "Receive Maximum exceeded"],
  [0x94, "Topic Alias invalid"],
  [0x95, "Packet too large"],
  [0x96, "Message rate too high"],
  [0x97, "Quota exceeded"],
  [0x98, "Administrative action"],
  [0x99, "Payload format invalid"],
  [0x9a, "Retain not supported"],
  [0x9b, "QoS not supported"],
  [0x9c, "Use another server"],
  [0x9d, "Server moved"],
  [0x9e, "Shared Subscriptions not supported"],
  [0x9f, "Connection rate exceeded"],
  [0xa0, "Maximum connect time"],
  [0xa1, "Subscription Identifiers not supported"],
  [0xa2, "Wildcard Subscriptions not supported"],
]);

/** The standard's name of a reason code, for logs and metrics. */
export function reasonName(code: number): string {
  return NAMES.get(code) ?? `Unknown (0x${code.toString(16).padStart(2, "0")})`;
}

/**
 * The CONNACK return code of MQTT 3 that comes nearest to a reason code of MQTT 5 (3.1.1, table
 * 3.1). What has no counterpart becomes 3, "server unavailable": the client may try again.
 */
export function connackReturnCode(reasonCode: number): 0 | 1 | 2 | 3 | 4 | 5 {
  switch (reasonCode) {
    case REASON.success:
      return 0;
    case REASON.unsupportedProtocolVersion:
      return 1;
    case REASON.clientIdentifierNotValid:
      return 2;
    case REASON.badUserNameOrPassword:
      return 4;
    case REASON.notAuthorized:
    case REASON.banned:
    case REASON.badAuthenticationMethod:
      return 5;
    default:
      return 3;
  }
}

/** Connect Reason Codes (table 3-1). */
const CONNACK: ReadonlySet<number> = new Set([
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97,
  0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
]);

/**
 * A reason code as CONNACK may give it [MQTT-3.2.2-8]: what only ends connections that are open
 * becomes "server unavailable", since the client may try again.
 */
export function connackReason(reasonCode: number): number {
  if (CONNACK.has(reasonCode)) return reasonCode;
  switch (reasonCode) {
    case REASON.serverShuttingDown:
    case REASON.sessionTakenOver:
    case REASON.administrativeAction:
      return REASON.serverUnavailable;
    default:
      return REASON.unspecifiedError;
  }
}

/** Disconnect Reason Codes that a server may send (table 3-10). */
const DISCONNECT: ReadonlySet<number> = new Set([
  0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96,
  0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
]);

/** A reason code as DISCONNECT may give it [MQTT-3.14.2-1]. */
export function disconnectReason(reasonCode: number): number {
  if (DISCONNECT.has(reasonCode)) return reasonCode;
  switch (reasonCode) {
    case REASON.badUserNameOrPassword:
    case REASON.banned:
    case REASON.badAuthenticationMethod:
      return REASON.notAuthorized;
    case REASON.serverUnavailable:
      return REASON.serverBusy;
    default:
      return REASON.unspecifiedError;
  }
}

/** What a client sent cannot be accepted; its connection is to be closed [MQTT-4.13.1-1]. */
export class MalformedPacket extends Error {
  override readonly name = "MalformedPacket";
  readonly reasonCode: number;

  constructor(reasonCode: number, message: string) {
    super(message);
    this.reasonCode = reasonCode;
  }
}

/** The bytes do not follow the format: Malformed Packet. */
export function malformed(message: string): MalformedPacket {
  return new MalformedPacket(REASON.malformedPacket, message);
}

/** The bytes can be read, but say what is not allowed: Protocol Error. */
export function protocolError(message: string): MalformedPacket {
  return new MalformedPacket(REASON.protocolError, message);
}
