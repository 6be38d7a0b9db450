/** What the group knows of the processes that it serves, as the control log says. */
import type { MembersCommand } from "./commands.ts";
import type { Tables } from "./tables.ts";

/**
 * False if the group knows this version already: what it says is in force then, or was overtaken.
 * A gateway that is gone opens nothing from here on; its sessions are released by `gateway-down`.
 */
export function members(tables: Tables, command: Omit<MembersCommand, "at">): boolean {
  if (command.version <= tables.version) return false;
  tables.version = command.version;
  for (const gateway of command.gatewaysUp) tables.gateways.add(gateway);
  for (const gateway of command.gatewaysGone) tables.gateways.delete(gateway);
  for (const store of command.storesUp) tables.stores.add(store);
  for (const store of command.storesDown) tables.stores.delete(store);
  return true;
}
