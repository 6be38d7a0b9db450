import type { Auth, Connect } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import { openSession } from "./connect.ts";
import type { AuthAnswer, Connection } from "./connection.ts";

/** AUTH (section 3.15 and 4.12): a step of the exchange that CONNECT began, or re-authentication. */
export function handleAuth<S>(c: Connection<S>, packet: Auth): void {
  const method = c.connect?.authenticationMethod;
  if (c.version !== 5 || method === undefined) {
    c.fail(REASON.protocolError, "AUTH without an authentication method in CONNECT"); // [MQTT-4.12.0-7]
    return;
  }
  if (packet.authenticationMethod !== method) {
    // [MQTT-4.12.0-5] [MQTT-4.12.1-1]
    c.fail(REASON.badAuthenticationMethod, "the authentication method is not that of CONNECT");
    return;
  }
  const first = packet.reasonCode === REASON.reAuthenticate;
  if (!expected(c, first)) {
    c.fail(REASON.protocolError, "this AUTH is not expected now");
    return;
  }
  if (first) c.reauthenticating = true;
  c.authPending = true;
  // while a connection is open its other packets go on during re-authentication
  if (c.phase === "authenticating") c.effects.hold(true);
  c.effects.exchange(method, packet.authenticationData, first, c.reauthenticating);
}

function expected<S>(c: Connection<S>, first: boolean): boolean {
  if (c.authPending) return false;
  if (c.phase === "authenticating") return !first;
  if (c.phase !== "open") return false;
  return first !== c.reauthenticating;
}

/** What the authenticator says to a step. */
export function authAnswered<S>(c: Connection<S>, answer: AuthAnswer): void {
  if (c.phase === "ended" || !c.authPending) return;
  const method = (c.connect as Connect).authenticationMethod as string;
  c.authPending = false;
  if (answer.kind === "failure") {
    c.fail(answer.reason, answer.text);
  } else if (answer.kind === "continue") {
    // [MQTT-4.12.0-2]
    const reasonCode = REASON.continueAuthentication;
    c.effects.send({
      type: "auth",
      reasonCode,
      authenticationMethod: method,
      authenticationData: answer.data,
    });
    if (c.phase === "authenticating") c.effects.hold(false);
  } else if (c.reauthenticating) {
    c.reauthenticating = false;
    const data = answer.data === undefined ? {} : { authenticationData: answer.data };
    c.effects.send({
      type: "auth",
      reasonCode: REASON.success,
      authenticationMethod: method,
      ...data,
    });
  } else {
    c.authData = answer.data;
    openSession(c);
  }
}
