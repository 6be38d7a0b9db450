export { InboundAliases, OutboundAliases } from "./aliases.ts";
export { type AuthAnswer, Connection, type Phase } from "./connection.ts";
export { DELIVERY, Delivery, type DeliveryState } from "./delivery.ts";
export type {
  Effects,
  Ending,
  GrantedSubscription,
  OpenedSession,
  OpenSession,
} from "./effects.ts";
export type { ConnectionSettings } from "./settings.ts";
export { Window } from "./window.ts";
