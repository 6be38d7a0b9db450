import { both, type Section, server } from "../statement.ts";

export const DISCONNECT: Section = {
  title: "PINGREQ, DISCONNECT and AUTH (3.12 – 3.15)",
  statements: [
    server("3.12.4-1", "PINGREQ is answered by PINGRESP."),
    server("3.14.0-1", "A server sends no DISCONNECT before a CONNACK below 0x80."),
    both("3.14.1-1", "Reserved flags of DISCONNECT are checked; if not 0 it is malformed."),
    both("3.14.2-1", "The reason code of DISCONNECT is one of those for it."),
    server("3.14.2-2", "A server's DISCONNECT has no Session Expiry Interval."),
    both("3.14.2-3", "No Reason String that makes DISCONNECT larger than its receiver allows."),
    both("3.14.2-4", "No User Property that makes DISCONNECT larger than its receiver allows."),
    both("3.14.4-1", "Nothing is sent after DISCONNECT."),
    both("3.14.4-2", "The sender of DISCONNECT closes the connection."),
    server("3.14.4-3", "DISCONNECT 0x00 discards the will."),
    both("3.15.1-1", "The flags of AUTH are 0; with others it is malformed."),
    both("3.15.2-1", "The reason code of AUTH is one of those for it."),
    both("3.15.2-2", "No Reason String that makes AUTH larger than its receiver allows."),
    both("3.15.2-3", "No User Property that makes AUTH larger than its receiver allows."),
  ],
};
