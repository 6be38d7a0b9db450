type Log = (fields: object, message: string) => void;

/** The port for logs. Fields are what a machine looks for, the message is for people. */
export interface Logger {
  readonly trace: Log;
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

function nothing(): void {}

export const silentLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
