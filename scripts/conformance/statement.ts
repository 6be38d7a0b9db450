/** Whom a normative statement binds. */
export type Who = "server" | "client" | "both";

/** A normative statement of MQTT 5.0 (its appendix B), in our words. */
export interface Statement {
  /** Section and number, as in `[MQTT-3.1.0-1]`, without `MQTT-`. */
  readonly id: string;
  readonly who: Who;
  readonly text: string;
  /** Why no test of a broker can show it. */
  readonly notApplicable?: string;
}

/** Statements that are shown in one table. */
export interface Section {
  readonly title: string;
  readonly statements: readonly Statement[];
}

function statement(
  who: Who,
  id: string,
  text: string,
  notApplicable: string | undefined,
): Statement {
  return notApplicable === undefined ? { id, who, text } : { id, who, text, notApplicable };
}

export function server(id: string, text: string, notApplicable?: string): Statement {
  return statement("server", id, text, notApplicable);
}

export function client(id: string, text: string, notApplicable?: string): Statement {
  return statement("client", id, text, notApplicable);
}

export function both(id: string, text: string, notApplicable?: string): Statement {
  return statement("both", id, text, notApplicable);
}

/** Why a statement on what a client does has no test: a broker neither does nor sees it. */
export const CLIENTS_OWN = "what a client does by itself; the broker has no part in it";
