import { CLIENTS_OWN, client, type Section, server } from "../statement.ts";

export const CONNACK: Section = {
  title: "CONNACK (3.2)",
  statements: [
    server("3.2.0-1", "Nothing but AUTH is sent before CONNACK 0x00."),
    server("3.2.0-2", "A connection gets one CONNACK at most."),
    server("3.2.2-1", "Bits 7 to 1 of the acknowledge flags are 0."),
    server("3.2.2-2", "Accepted with Clean Start: Session Present is 0, the code 0x00."),
    server(
      "3.2.2-3",
      "Accepted without Clean Start: Session Present says whether there is a session, the code is 0x00.",
    ),
    client(
      "3.2.2-4",
      "A client without a session that is told of one closes the connection.",
      CLIENTS_OWN,
    ),
    client(
      "3.2.2-5",
      "A client with a session that is told of none discards its own if it goes on.",
      CLIENTS_OWN,
    ),
    server("3.2.2-6", "With a code other than 0x00, Session Present is 0."),
    server("3.2.2-7", "A code of 0x80 or more is followed by the end of the connection."),
    server("3.2.2-8", "The code is one of those for CONNACK."),
    server("3.2.2-9", "A server without QoS 1 or 2 says so by Maximum QoS."),
    server("3.2.2-10", "Such a server still accepts subscriptions of every QoS."),
    client("3.2.2-11", "A client publishes at no higher QoS than the Maximum QoS."),
    server("3.2.2-12", "A will of a QoS above the server's is refused, and the connection closed."),
    server(
      "3.2.2-13",
      "A retained will is refused where nothing is retained, and the connection closed.",
    ),
    client("3.2.2-14", "A client retains nothing where Retain Available is 0."),
    client("3.2.2-15", "A client's packets are within the server's Maximum Packet Size."),
    server(
      "3.2.2-16",
      "A client without identifier learns the one assigned to it, which no other session has.",
    ),
    client("3.2.2-17", "No Topic Alias to the server is above the server's Topic Alias Maximum."),
    client("3.2.2-18", "No Topic Alias Maximum, or 0: a client sends no Topic Alias."),
    server("3.2.2-19", "No Reason String that makes CONNACK larger than the client allows."),
    server("3.2.2-20", "No User Property that makes CONNACK larger than the client allows."),
    client("3.2.2-21", "A client that is sent a Server Keep Alive uses it.", CLIENTS_OWN),
    server("3.2.2-22", "Without Server Keep Alive the client's Keep Alive is in force."),
  ],
};
