/** What the broker grants to every client. Numbers are the standard's units. */
export interface ConnectionSettings {
  /** Maximum Packet Size that the server accepts, in bytes (the decoder enforces it). */
  readonly maxPacketSize: number;
  readonly maximumQos: 0 | 1 | 2;
  readonly retainAvailable: boolean;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  readonly subscriptionIdentifiersAvailable: boolean;
  /** Receive Maximum of the server: unfinished QoS 1 and 2 PUBLISHes that a client may send. */
  readonly receiveMaximum: number;
  /** Topic Alias Maximum of the server: aliases that a client may set. */
  readonly topicAliasMaximum: number;
  /** Most aliases that the broker sets towards one client. */
  readonly topicAliasMaximumOutbound: number;
  /** Most deliveries of QoS 1 and 2 in flight to one client. */
  readonly maxInflight: number;
  /** Keep alive in seconds that every v5 client is told; undefined = what it asks for. */
  readonly serverKeepAlive: number | undefined;
  /** Longest keep alive in seconds, sent as Server Keep Alive where a client asks for more or for
   *  none; 0 = no limit. */
  readonly maxKeepAlive: number;
  /** Longest Session Expiry Interval in seconds. */
  readonly maxSessionExpiry: number;
  /** Longest client identifier in bytes. */
  readonly maxClientIdLength: number;
  /** Longest topic name or filter in bytes. */
  readonly maxTopicLength: number;
  /** Most levels of a topic name or filter. */
  readonly maxTopicLevels: number;
  readonly maxSubscriptionsPerSession: number;
}
