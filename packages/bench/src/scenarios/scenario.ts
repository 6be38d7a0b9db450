import type { BrokerName } from "../brokers/broker.ts";
import type { Bench } from "../measure.ts";
import type { Row } from "./row.ts";

export interface Scenario {
  readonly name: string;
  /** Brokers that cannot do it. */
  readonly without?: readonly BrokerName[];
  /** See BrokerOptions. */
  readonly durable: boolean;
  /** It needs a generator process for every core that there is for them. */
  readonly everyCore?: boolean;
  run(bench: Bench): Promise<readonly Row[]>;
}
