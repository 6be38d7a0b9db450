/** What the configuration says, as the protocol and the gateway want it. */
import type { Config } from "@canopy/config";
import type { ConnectionSettings } from "@canopy/connection";
import type { GatewayLimits } from "./options.ts";

export function connectionSettings({ limits, features }: Config): ConnectionSettings {
  return {
    maxPacketSize: limits.maxPacketSize,
    maximumQos: limits.maxQos as 0 | 1 | 2,
    retainAvailable: features.retainAvailable,
    wildcardSubscriptionAvailable: features.wildcardSubscriptionAvailable,
    sharedSubscriptionAvailable: features.sharedSubscriptionAvailable,
    subscriptionIdentifiersAvailable: features.subscriptionIdentifiersAvailable,
    receiveMaximum: limits.receiveMaximum,
    topicAliasMaximum: limits.topicAliasMaximum,
    topicAliasMaximumOutbound: limits.topicAliasMaximumOutbound,
    maxInflight: limits.maxInflight,
    serverKeepAlive: limits.serverKeepAlive,
    maxKeepAlive: limits.maxKeepAlive ?? 0,
    maxSessionExpiry: limits.maxSessionExpiry,
    maxClientIdLength: limits.maxClientIdLength,
    maxTopicLength: limits.maxTopicLength,
    maxTopicLevels: limits.maxTopicLevels,
    maxSubscriptionsPerSession: limits.maxSubscriptionsPerSession,
  };
}

/** The store service refuses what waits too long; only what it can't refuse any more is left. */
const AFTER_WAIT_TIMEOUT = 1000;

export function gatewayLimits({ limits, session, shutdown, store }: Config): GatewayLimits {
  return {
    maxConnections: limits.maxConnections,
    connectTimeout: limits.connectTimeout,
    transientQueueMessages: limits.transientQueueMessages,
    transientQueueBytes: limits.transientQueueBytes,
    transientOverflow: limits.transientOverflow,
    connectionOutputBytes: limits.connectionOutputBytes,
    gatewayOutputBytes: limits.gatewayOutputBytes,
    answerTimeout: store.waitTimeout + AFTER_WAIT_TIMEOUT,
    progressInterval: session.progressInterval,
    shutdownTimeout: Math.max(0, shutdown.timeout - 2000),
  };
}
