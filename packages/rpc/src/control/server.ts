/** The control plane of this node, for the members of the cluster. */
import type { Control } from "@canopy/control";
import type { Control as Service } from "../gen/canopy/control/v1/control_pb.ts";
import type { Handlers } from "../handlers.ts";
import { fromAnnouncement, fromBan, fromBanKey, fromJoin, fromWish } from "./values.ts";
import { attending, watching } from "./watching.ts";

export function controlHandlers(control: Control): Handlers<typeof Service> {
  return {
    join: async (message) => {
      const { incarnation, lease } = await control.join(fromJoin(message));
      return { incarnation: BigInt(incarnation), lease: BigInt(lease) };
    },
    renew: async ({ incarnation, acknowledged }) => {
      const renewal = { incarnation: Number(incarnation), acknowledged: Number(acknowledged) };
      await control.renew(renewal);
      return {};
    },
    leave: async ({ incarnation }) => {
      await control.leave(Number(incarnation));
      return {};
    },
    attend: attending(control),
    watch: watching(control),
    reopen: async ({ incarnation, shard }) => {
      return { epoch: BigInt(await control.reopen(Number(incarnation), shard)) };
    },
    ban: async ({ ban }) => ({ version: BigInt(await control.ban(fromBan(ban))) }),
    unban: async (message) => {
      const { kind, value } = fromBanKey(message.ban);
      return { version: BigInt(await control.unban(kind, value)) };
    },
    announce: async (message) => {
      const { version, replica } = await control.announce(fromAnnouncement(message));
      return { version: BigInt(version), replica: BigInt(replica) };
    },
    accuse: async ({ incarnation }) => {
      await control.accuse(Number(incarnation));
      return {};
    },
    wish: async (message) => ({ version: BigInt(await control.wish(fromWish(message))) }),
    inForce: async ({ version }) => {
      await control.inForce(Number(version));
      return {};
    },
  };
}
