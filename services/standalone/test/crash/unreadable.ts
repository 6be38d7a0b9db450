/**
 * Imported before the broker's main: a command that names the client "unreadable" is one that the
 * state machine of the sessions can't read.
 */
import { Replica } from "../../../session/src/replica.ts";

const apply = Reflect.get(Replica.prototype, "apply") as (bytes: Uint8Array) => unknown;
Reflect.set(Replica.prototype, "apply", function (this: Replica, bytes: Uint8Array): unknown {
  if (Buffer.from(bytes).includes("unreadable")) throw new Error("no such command");
  return apply.call(this, bytes);
});
