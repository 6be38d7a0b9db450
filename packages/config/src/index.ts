export { documentation } from "./document.ts";
export { type Endpoint, type NodeAddress, nameOfHost } from "./endpoint.ts";
export type { Environment } from "./environment.ts";
export { ConfigError } from "./error.ts";
export { helpText, requestedAction } from "./flags.ts";
export { isLoopback, type ListenAddress } from "./listen.ts";
export { type ConfigSources, type LoadedConfig, loadConfig } from "./load.ts";
export { type Role, roleNames } from "./roles.ts";
export type { Config, SharedStrategy } from "./schema.ts";
