import { startAedes } from "./aedes.ts";
import type { BrokerName, StartBroker } from "./broker.ts";
import { startCanopy } from "./canopy.ts";
import { startOneGateway } from "./cluster.ts";
import { findMosquitto, startMosquitto } from "./mosquitto.ts";

export const startBroker: Readonly<Record<BrokerName, StartBroker>> = {
  canopy: startCanopy,
  cluster: startOneGateway,
  mosquitto: startMosquitto,
  aedes: startAedes,
};

export function isInstalled(name: BrokerName): boolean {
  return name !== "mosquitto" || findMosquitto() !== undefined;
}
