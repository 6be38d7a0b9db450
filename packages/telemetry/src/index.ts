export { createLogger, type LogOptions, type LogStream } from "./logger.ts";
export { type Counter, Metrics } from "./metrics.ts";
