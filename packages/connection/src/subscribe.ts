import type { Subscribe, SubscriptionRequest } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import { parseFilter } from "@canopy/topic";
import type { Connection } from "./connection.ts";
import type { GrantedSubscription } from "./effects.ts";
import { subscribedCode } from "./reason-codes.ts";

/** SUBSCRIBE (section 3.8): each filter is granted or refused by itself [MQTT-3.8.4-6]. */
export function handleSubscribe<S>(c: Connection<S>, packet: Subscribe): void {
  const codes: number[] = [];
  const granted: GrantedSubscription[] = [];
  const places: number[] = [];
  const added = new Set<string>();
  for (const request of packet.subscriptions) {
    const answer = consider(c, request, packet.subscriptionIdentifier ?? 0, added);
    if (typeof answer === "number") {
      codes.push(answer);
    } else {
      places.push(codes.length);
      codes.push(answer.qos);
      granted.push(answer);
      if (!c.effects.hasSubscription(answer.filter)) added.add(answer.filter);
    }
  }
  if (granted.length === 0) {
    suback(c, packet.packetId, codes);
    return;
  }
  c.effects.subscribe(granted, (results) => {
    for (const [i, place] of places.entries()) codes[place] = subscribedCode(results[i] as number);
    suback(c, packet.packetId, codes);
  });
}

function suback<S>(c: Connection<S>, packetId: number, codes: readonly number[]): void {
  if (c.phase !== "open") return;
  const reasonCodes = c.version === 5 ? codes : codes.map((code) => Math.min(code, 0x80));
  const refused = codes.find((code) => code >= 0x80);
  const text = refused === undefined ? undefined : c.reasonString(refusalText(refused));
  c.effects.send({ type: "suback", packetId, reasonCodes, ...text });
}

function consider<S>(
  c: Connection<S>,
  request: SubscriptionRequest,
  subscriptionIdentifier: number,
  added: ReadonlySet<string>,
): GrantedSubscription | number {
  const { settings } = c;
  const parsed = parseFilter(request.filter);
  if (!parsed.ok) return REASON.topicFilterInvalid;
  if (
    parsed.levels > settings.maxTopicLevels ||
    Buffer.byteLength(request.filter) > settings.maxTopicLength
  ) {
    return REASON.topicFilterInvalid;
  }
  if (parsed.share !== undefined && !settings.sharedSubscriptionAvailable) {
    return REASON.sharedSubscriptionsNotSupported;
  }
  if (!parsed.exact && !settings.wildcardSubscriptionAvailable) {
    return REASON.wildcardSubscriptionsNotSupported;
  }
  if (subscriptionIdentifier !== 0 && !settings.subscriptionIdentifiersAvailable) {
    return REASON.subscriptionIdentifiersNotSupported;
  }
  const isNew = !added.has(request.filter) && !c.effects.hasSubscription(request.filter);
  if (isNew && c.effects.subscriptionCount() + added.size >= settings.maxSubscriptionsPerSession) {
    return REASON.quotaExceeded;
  }
  const granted: GrantedSubscription = {
    ...request,
    qos: Math.min(request.qos, settings.maximumQos) as 0 | 1 | 2, // [MQTT-3.8.4-7]
    share: parsed.share,
    plainFilter: parsed.filter,
    subscriptionIdentifier,
  };
  const refusal = c.effects.maySubscribe(granted);
  return refusal === 0 ? granted : subscribedCode(refusal);
}

function refusalText(reasonCode: number): string {
  switch (reasonCode) {
    case REASON.topicFilterInvalid:
      return "a topic filter is not valid, or too long";
    case REASON.quotaExceeded:
      return "too many subscriptions for one session";
    case REASON.notAuthorized:
      return "not allowed to subscribe to this filter";
    case REASON.sharedSubscriptionsNotSupported:
      return "shared subscriptions are switched off here";
    case REASON.wildcardSubscriptionsNotSupported:
      return "wildcard subscriptions are switched off here";
    case REASON.subscriptionIdentifiersNotSupported:
      return "subscription identifiers are switched off here";
    default:
      return "the subscription could not be stored; try again later";
  }
}
