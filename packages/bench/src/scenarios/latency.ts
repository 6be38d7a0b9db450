import { measureLoad } from "../measure.ts";
import { detailsOf } from "./row.ts";
import type { Scenario } from "./scenario.ts";

const PAIRS = 50;
const RATE = 5000;

/** An open loop far below saturation: what one message takes end to end. */
export const latency: Scenario = {
  name: "latency",
  durable: false,
  run: async (bench) => {
    const measured = await measureLoad(bench, {
      publishers: PAIRS,
      subscribers: PAIRS,
      topics: PAIRS,
      qos: 1,
      rate: RATE / PAIRS,
    });
    const { p50, p99 } = measured.latency;
    const details = { ...detailsOf(measured), unit: "ms" as const };
    const title = "latency at 5,000 msg/s QoS 1";
    return [
      { ...details, name: "latency-p50", title: `${title}: p50`, value: p50 },
      { ...details, name: "latency-p99", title: `${title}: p99`, value: p99 },
    ];
  },
};
