import type { Clock } from "@canopy/base";
import type { ReadonlyView } from "@canopy/control";
import type { Banned } from "../options.ts";

/** Why somebody may not connect, by the control log; undefined: he may. */
export function whyBannedBy(
  view: Pick<ReadonlyView, "ban">,
  clock: Pick<Clock, "wall">,
): (who: Banned) => string | undefined {
  return ({ clientId, user, address }) => {
    const wall = clock.wall();
    const ban =
      view.ban("client", clientId, wall) ??
      (user === undefined ? undefined : view.ban("user", user, wall)) ??
      view.ban("address", address, wall);
    return ban && (ban.reason === "" ? "banned" : `banned: ${ban.reason}`);
  };
}
