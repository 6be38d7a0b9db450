/**
 * MQTT control packets as the broker sees them. PUBLISH and the four acknowledgements of a
 * PUBLISH are not here: they are read in place (see views.ts).
 */

/** Protocol level of the CONNECT packet: 3 = MQTT 3.1, 4 = MQTT 3.1.1, 5 = MQTT 5.0. */
export type Version = 3 | 4 | 5;

export type QoS = 0 | 1 | 2;

/** Name and value pairs in the order of the wire; names may repeat. */
export type UserProperties = readonly (readonly [name: string, value: string])[];

/** Will of a CONNECT (section 3.1.2.5 and 3.1.3). */
export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Will Delay Interval in seconds; 0 if absent. */
  readonly delay: number;
  /** Message Expiry Interval in seconds; undefined if absent. */
  readonly expiry: number | undefined;
  /** Payload Format Indicator says UTF-8. */
  readonly utf8Payload: boolean;
  /** The properties that go into the published message, as wire bytes in their order, without
   *  length, Will Delay Interval and Message Expiry Interval. */
  readonly properties: Uint8Array;
}

export interface Connect {
  readonly type: "connect";
  readonly version: Version;
  /** The bridge bit (0x80 of the protocol level) that Mosquitto's bridges set. */
  readonly bridge: boolean;
  readonly cleanStart: boolean;
  /** Seconds; 0 = off. */
  readonly keepAlive: number;
  /** May be empty. */
  readonly clientId: string;
  readonly will: Will | undefined;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  /** Session Expiry Interval in seconds; undefined if absent (and always in v3). */
  readonly sessionExpiry: number | undefined;
  /** Receive Maximum; 65,535 if absent. */
  readonly receiveMaximum: number;
  /** Maximum Packet Size; undefined if absent. */
  readonly maximumPacketSize: number | undefined;
  /** Topic Alias Maximum; 0 if absent. */
  readonly topicAliasMaximum: number;
  readonly requestResponseInformation: boolean;
  /** True if absent. */
  readonly requestProblemInformation: boolean;
  readonly authenticationMethod: string | undefined;
  readonly authenticationData: Uint8Array | undefined;
  readonly userProperties: UserProperties;
}

export interface SubscriptionRequest {
  /** As sent, with `$share/…/` where shared. Well-formed UTF-8; its MQTT rules are not checked yet. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  readonly type: "subscribe";
  readonly packetId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  /** 1 – 268,435,455; undefined if absent. */
  readonly subscriptionIdentifier: number | undefined;
  readonly userProperties: UserProperties;
}

export interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly userProperties: UserProperties;
}

export interface PingRequest {
  readonly type: "pingreq";
}

export interface Disconnect {
  readonly type: "disconnect";
  /** 0 in v3. */
  readonly reasonCode: number;
  readonly sessionExpiry: number | undefined;
  readonly reasonString: string | undefined;
  readonly userProperties: UserProperties;
}

export interface Auth {
  readonly type: "auth";
  readonly reasonCode: number;
  readonly authenticationMethod: string | undefined;
  readonly authenticationData: Uint8Array | undefined;
  readonly reasonString: string | undefined;
  readonly userProperties: UserProperties;
}

/** What a client may send, but for PUBLISH and its acknowledgements. */
export type ClientPacket = Connect | Subscribe | Unsubscribe | PingRequest | Disconnect | Auth;

export interface Connack {
  readonly type: "connack";
  readonly sessionPresent: boolean;
  /** A v5 reason code, or for v3 the return code 0 – 5. */
  readonly reasonCode: number;
  readonly sessionExpiry?: number;
  readonly receiveMaximum?: number;
  readonly maximumQos?: 0 | 1;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly assignedClientIdentifier?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly serverKeepAlive?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly userProperties?: UserProperties;
}

/** An acknowledgement with more in it than the hot path writes. */
export interface Ack {
  readonly type: "puback" | "pubrec" | "pubrel" | "pubcomp";
  readonly packetId: number;
  readonly reasonCode: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export interface Suback {
  readonly type: "suback";
  readonly packetId: number;
  /** One per filter. For v3 only 0, 1, 2 and 0x80. */
  readonly reasonCodes: readonly number[];
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export interface Unsuback {
  readonly type: "unsuback";
  readonly packetId: number;
  /** One per filter; not on the wire in v3. */
  readonly reasonCodes: readonly number[];
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export interface PingResponse {
  readonly type: "pingresp";
}

/** v5 only. */
export interface ServerDisconnect {
  readonly type: "disconnect";
  readonly reasonCode: number;
  readonly reasonString?: string;
  readonly serverReference?: string;
  readonly userProperties?: UserProperties;
}

/** v5 only. */
export interface ServerAuth {
  readonly type: "auth";
  readonly reasonCode: number;
  readonly authenticationMethod: string;
  readonly authenticationData?: Uint8Array;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

/** What the broker sends, but for PUBLISH and plain acknowledgements. */
export type ServerPacket =
  | Connack
  | Ack
  | Suback
  | Unsuback
  | PingResponse
  | ServerDisconnect
  | ServerAuth;
