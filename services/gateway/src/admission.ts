import type { Authorizer, Exchange, ExchangeAnswer } from "@canopy/auth";
import { type Connect, REASON } from "@canopy/codec";
import type { Client } from "./client.ts";
import type { Gateway } from "./gateway.ts";

/** User name and password of a plain CONNECT. */
export function authenticate(gateway: Gateway, client: Client, connect: Connect): void {
  gateway.authenticator.connect(client, connect.userName, connect.password).then(
    (answer) => {
      if (client.ended) return;
      if (answer.ok) {
        client.identity = answer.identity;
        client.connection.authenticated();
      } else {
        client.connection.refused(answer.reason, answer.text);
      }
    },
    (error: unknown) => defect(gateway, client, error),
  );
}

/** One step of an enhanced authentication (section 4.12). */
export function exchange(
  gateway: Gateway,
  client: Client,
  method: string,
  data: Uint8Array | undefined,
  first: boolean,
  again: boolean,
): void {
  if (first) {
    const previous = again ? client.identity : undefined;
    client.authExchange = gateway.authenticator.exchange(method, client, previous);
  }
  const run: Exchange | undefined = client.authExchange;
  if (run === undefined) {
    client.connection.refused(REASON.badAuthenticationMethod, "this method is not known here"); // [MQTT-4.12.0-1]
    return;
  }
  run.step(data).then(
    (answer) => {
      if (!client.ended) answered(client, answer);
    },
    (error: unknown) => defect(gateway, client, error),
  );
}

function answered(client: Client, answer: ExchangeAnswer): void {
  if (answer.kind !== "continue") client.authExchange = undefined;
  if (answer.kind === "success") client.identity = answer.identity;
  client.connection.authAnswered(answer);
}

function defect(gateway: Gateway, client: Client, error: unknown): void {
  gateway.logger.error({ error }, "authentication failed by a defect");
  if (!client.ended) client.connection.refused(REASON.unspecifiedError, "try again later");
}

/** An authorizer's word as a reason code; 0 = yes. */
export function decisionCode(decision: ReturnType<Authorizer["publish"]>): number {
  if (decision === true) return 0;
  return decision === false ? REASON.notAuthorized : decision.reason;
}
