import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { type Scope, testScope } from "./scope.ts";

/** A connected client of MQTT.js (version 5, no reconnection unless asked for), ended at the end. */
export async function mqttJs(
  url: string,
  options: IClientOptions = {},
  scope: Scope = testScope(),
): Promise<MqttClient> {
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  scope.defer(() => client.endAsync(true));
  return client;
}
