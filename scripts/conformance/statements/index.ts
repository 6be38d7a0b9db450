import type { Section } from "../statement.ts";
import { ACKNOWLEDGEMENTS } from "./acknowledgements.ts";
import { CONNACK } from "./connack.ts";
import { CONNECT } from "./connect.ts";
import { DISCONNECT } from "./disconnect.ts";
import { FORMAT } from "./format.ts";
import { OPERATION } from "./operation.ts";
import { PUBLISH } from "./publish.ts";
import { SUBSCRIBE } from "./subscribe.ts";
import { UNSUBSCRIBE } from "./unsubscribe.ts";
import { WEBSOCKET } from "./websocket.ts";

/** All 251 of appendix B, in its order. [MQTT-2.2.1-1] does not exist. */
export const SECTIONS: readonly Section[] = [
  FORMAT,
  CONNECT,
  CONNACK,
  PUBLISH,
  ACKNOWLEDGEMENTS,
  SUBSCRIBE,
  UNSUBSCRIBE,
  DISCONNECT,
  OPERATION,
  WEBSOCKET,
];
