import { both, type Section, server } from "../statement.ts";

export const UNSUBSCRIBE: Section = {
  title: "UNSUBSCRIBE and UNSUBACK (3.10, 3.11)",
  statements: [
    both("3.10.1-1", "The flags of UNSUBSCRIBE are 0010; with others it is malformed."),
    both("3.10.3-1", "Topic filters are UTF-8 strings."),
    both("3.10.3-2", "An UNSUBSCRIBE has at least one topic filter."),
    server(
      "3.10.4-1",
      "Filters are compared character by character; the subscription that is equal is removed.",
    ),
    server("3.10.4-2", "Nothing new is added for delivery to an ended subscription."),
    server("3.10.4-3", "Deliveries of QoS 1 and 2 that have begun are completed."),
    server("3.10.4-4", "An UNSUBSCRIBE is answered by an UNSUBACK."),
    server("3.10.4-5", "It has the same Packet Identifier, and comes even if nothing was removed."),
    server(
      "3.10.4-6",
      "Several filters are dealt with like one UNSUBSCRIBE each, in one UNSUBACK.",
    ),
    server("3.11.2-1", "No Reason String that makes UNSUBACK larger than the client allows."),
    server("3.11.2-2", "No User Property that makes UNSUBACK larger than the client allows."),
    server("3.11.3-1", "UNSUBACK's reason codes have the order of the filters."),
    server("3.11.3-2", "Each reason code is one of those for UNSUBACK."),
  ],
};
