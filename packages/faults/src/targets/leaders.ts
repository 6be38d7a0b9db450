import { silentLogger } from "@canopy/base";
import { clusterAdminOver, RpcChannel } from "@canopy/rpc";

/** How long a node may take to answer, ms. */
const DEADLINE = 2000;

/** Who leads, by group, as the first of these session nodes says that answers. */
export async function leadersBy(
  addresses: readonly (string | undefined)[],
): Promise<ReadonlyMap<number, string>> {
  const errors: unknown[] = [];
  for (const address of addresses) {
    if (address === undefined) continue;
    const channel = new RpcChannel({ address, logger: silentLogger });
    await channel.start();
    try {
      const groups = await clusterAdminOver(channel, DEADLINE).groups();
      return new Map(groups.map(({ group, leader }) => [group, leader]));
    } catch (error) {
      errors.push(error);
    } finally {
      await channel.stop();
    }
  }
  throw new AggregateError(errors, "no session node says who leads");
}
