import type { BrokerName } from "../brokers/broker.ts";
import { type LoadShape, measureLoad } from "../measure.ts";
import { throughputRow } from "./row.ts";
import type { Scenario } from "./scenario.ts";

function steady(
  name: string,
  title: string,
  shape: LoadShape,
  without: readonly BrokerName[] = [],
): Scenario {
  return {
    name,
    durable: shape.durable ?? false,
    without,
    run: async (bench) => [throughputRow(name, title, await measureLoad(bench, shape))],
  };
}

const pairs = (count: number, qos: 0 | 1 | 2): LoadShape => ({
  publishers: count,
  subscribers: count,
  topics: count,
  qos,
});

const fanOut = (qos: 0 | 1 | 2): LoadShape => ({
  publishers: 5,
  subscribers: 500,
  topics: 5,
  qos,
});

const fanIn = (qos: 0 | 1): LoadShape => ({ publishers: 50, subscribers: 1, topics: 1, qos });

/** Saturating loads with a steady rate: closed loops of 64-byte messages. */
export const steadyScenarios: readonly Scenario[] = [
  steady("qos0", "1:1 QoS 0", pairs(50, 0)),
  steady("qos1", "1:1 QoS 1", pairs(50, 1)),
  steady("qos2", "1:1 QoS 2", pairs(50, 2)),
  steady("fanout0", "fan-out 5 → 500 QoS 0", fanOut(0)),
  steady("fanout1", "fan-out 5 → 500 QoS 1", fanOut(1)),
  steady("fanout2", "fan-out 5 → 500 QoS 2", fanOut(2)),
  steady("fanin0", "fan-in 50 → 1 QoS 0", fanIn(0)),
  steady("fanin1", "fan-in 50 → 1 QoS 1", fanIn(1)),
  steady(
    "shared1",
    "shared group 50 → 5 QoS 1",
    { publishers: 50, subscribers: 5, topics: 1, qos: 1, share: "group" },
    // It takes $share for the name of a topic level.
    ["aedes"],
  ),
  steady("durable1", "durable 1:1 QoS 1", { ...pairs(50, 1), durable: true }),
  steady("durable2000", "durable, 2,000 pairs QoS 1", { ...pairs(2000, 1), durable: true }),
  steady("one0", "one outstanding, 500 pairs QoS 0", { ...pairs(500, 0), window: 1 }),
  steady("one1", "one outstanding, 500 pairs QoS 1", { ...pairs(500, 1), window: 1 }),
];
