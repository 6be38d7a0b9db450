/** The transport of a node whose groups have no member elsewhere. */
import type { Transport } from "./port.ts";

export const aloneTransport: Transport = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  send: () => false,
  openSnapshot: (to) => Promise.reject(new Error(`there is no way to ${to}`)),
};
