/**
 * What the broker asks about a client: who it is (Authenticator) and what it may do (Authorizer).
 * Implementations know this port; the gateway knows nothing else of them.
 */

/**
 * The client as the listener sees it, before anything it claims has been proven. It may be an object
 * of the broker with getters that lives as long as the client: read the fields that are wanted, and
 * neither spread it (`{ ...peer }` may lack them) nor log it as a whole.
 */
export interface Peer {
  /** Remote address as text, without the port. */
  readonly address: string;
  /** The listener's name, e.g. "tcp://0.0.0.0:1883". */
  readonly listener: string;
  /** The client identifier of its CONNECT, or the one that the broker assigned. */
  readonly clientId: string;
  /** 3 = MQTT 3.1, 4 = MQTT 3.1.1, 5 = MQTT 5.0. */
  readonly protocolVersion: 3 | 4 | 5;
}

/** Who a client is, after authentication. Immutable; lives as long as the network connection. */
export interface Identity {
  /** The proven user name; undefined for an anonymous client. */
  readonly user: string | undefined;
  /** The Authentication Method that proved it; undefined after a plain CONNECT. */
  readonly method?: string;
  /** What an authenticator knows beside the name (groups, tenant …), for authorizers. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The MQTT 5 reason codes of a Refusal. A caller maps them to CONNACK return codes for 3.x. */
export const refusalCode = {
  unspecifiedError: 0x80,
  protocolError: 0x82,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverBusy: 0x89,
  banned: 0x8a,
  badAuthenticationMethod: 0x8c,
  topicNameInvalid: 0x90,
} as const;

export type RefusalCode = (typeof refusalCode)[keyof typeof refusalCode];

/** A "no". The text may be sent as Reason String, so it tells a prober nothing. */
export interface Refusal {
  readonly reason: RefusalCode;
  readonly text: string;
}

export type ConnectAnswer =
  | { readonly ok: true; readonly identity: Identity }
  | ({ readonly ok: false } & Refusal);

/** One answer of an enhanced authentication [MQTT-4.12.0]. */
export type ExchangeAnswer =
  /** Send AUTH 0x18 with this data and wait for the client's next AUTH. */
  | { readonly kind: "continue"; readonly data: Uint8Array }
  /** Send CONNACK 0x00 (or AUTH 0x00 after re-authentication) with this data, if there is any. */
  | { readonly kind: "success"; readonly identity: Identity; readonly data?: Uint8Array }
  | ({ readonly kind: "failure" } & Refusal);

/**
 * Answers never depend on the order in which clients ask, and never reject because of what a
 * client sent: a rejected promise is a defect of the implementation (answer 0x80 and log it).
 * A client may go away while an answer is pending; the answer is then simply not used.
 */
export interface Authenticator {
  /** A CONNECT without an Authentication Method. */
  connect(
    peer: Peer,
    userName: string | undefined,
    password: Uint8Array | undefined,
  ): Promise<ConnectAnswer>;

  /**
   * A CONNECT with an Authentication Method, or with `previous` a re-authentication: the caller
   * has checked that the method is the connection's [MQTT-4.12.1-1], the exchange refuses
   * another user (0x87). User name and password of that CONNECT are not looked at.
   * undefined: the method is not known, the caller refuses with 0x8C.
   */
  exchange(method: string, peer: Peer, previous?: Identity): Exchange | undefined;
}

/**
 * One run of an enhanced authentication. The first step gets the Authentication Data of the CONNECT
 * (or of AUTH 0x19), each further one that of AUTH 0x18. One step at a time; after success or
 * failure it is over, and so it is when the caller forgets it.
 */
export interface Exchange {
  step(data: Uint8Array | undefined): Promise<ExchangeAnswer>;
}

/** true: allowed. false: 0x87 Not authorized. A Refusal: another reason, or a text for the client. */
export type Decision = boolean | Refusal;

/**
 * Asked for every PUBLISH, will (as the publish that it will be) and SUBSCRIBE. Synchronous, so it
 * decides from memory. A decision depends on nothing but its arguments and `version`: a caller may
 * keep one for as long as `version` is the same.
 */
export interface Authorizer {
  /** Grows whenever some decision may have changed. */
  readonly version: number;

  publish(identity: Identity, peer: Peer, topic: string, qos: 0 | 1 | 2, retain: boolean): Decision;

  /** `filter` is without "$share/name/"; `share` is that name. */
  subscribe(
    identity: Identity,
    peer: Peer,
    filter: string,
    qos: 0 | 1 | 2,
    share?: string,
  ): Decision;
}
