import { both, type Section, server } from "../statement.ts";

export const SUBSCRIBE: Section = {
  title: "SUBSCRIBE and SUBACK (3.8, 3.9)",
  statements: [
    both("3.8.1-1", "The flags of SUBSCRIBE are 0010; with others it is malformed."),
    both("3.8.3-1", "Topic filters are UTF-8 strings."),
    both("3.8.3-2", "A SUBSCRIBE has at least one topic filter with its options."),
    server("3.8.3-3", "No Local: a client does not get back what it published itself."),
    both("3.8.3-4", "No Local on a shared subscription is a Protocol Error."),
    server("3.8.3-5", "Reserved bits in the options make the packet malformed."),
    server("3.8.4-1", "A SUBSCRIBE is answered by a SUBACK."),
    server("3.8.4-2", "The SUBACK has the SUBSCRIBE's Packet Identifier."),
    server("3.8.4-3", "The same filter again replaces the subscription."),
    server(
      "3.8.4-4",
      "With Retain Handling 0 a replacement sends retained messages again; it loses no message.",
    ),
    server("3.8.4-5", "Several filters are dealt with like one SUBSCRIBE each, but in one SUBACK."),
    server("3.8.4-6", "SUBACK has a reason code for each filter."),
    server("3.8.4-7", "The code is the granted QoS, or says that the subscription failed."),
    server("3.8.4-8", "A message is delivered at the lower of its own QoS and the granted one."),
    server("3.9.2-1", "No Reason String that makes SUBACK larger than the client allows."),
    server("3.9.2-2", "No User Property that makes SUBACK larger than the client allows."),
    server("3.9.3-1", "SUBACK's reason codes have the order of the filters."),
    server("3.9.3-2", "Each reason code is one of those for SUBACK."),
  ],
};
