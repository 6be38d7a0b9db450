export { Counters } from "./counters.ts";
export { Gateway } from "./gateway.ts";
export { ListenError } from "./listeners/listeners.ts";
export type { GatewayLimits, GatewayOptions, ListenOptions } from "./options.ts";
export { connectionSettings, gatewayLimits } from "./settings.ts";
