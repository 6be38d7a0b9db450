import { both, CLIENTS_OWN, client, type Section, server } from "../statement.ts";

export const CONNECT: Section = {
  title: "CONNECT (3.1)",
  statements: [
    client("3.1.0-1", "The first packet of a client is CONNECT."),
    server("3.1.0-2", "A second CONNECT is a Protocol Error; the connection is closed."),
    server(
      "3.1.2-1",
      "The protocol name is “MQTT”. With another one the connection is closed, if need be after CONNACK 0x84.",
    ),
    server(
      "3.1.2-2",
      "A version that the server does not speak may get CONNACK 0x84; the connection is closed.",
    ),
    server("3.1.2-3", "The server checks that the reserved bit of the Connect Flags is 0."),
    both("3.1.2-4", "Clean Start discards the session that exists; a new one begins."),
    server("3.1.2-5", "Without Clean Start an existing session goes on from its state."),
    server("3.1.2-6", "Without Clean Start and without a session, one is created."),
    server("3.1.2-7", "A will is stored with the session."),
    server(
      "3.1.2-8",
      "The will is published once the connection is closed and its delay or the session is over, unless DISCONNECT 0x00 or a reconnect in time prevents it.",
    ),
    both("3.1.2-9", "The Will Flag means that will properties, topic and payload are there."),
    server(
      "3.1.2-10",
      "The will leaves the session when it is published or DISCONNECT 0x00 comes.",
    ),
    both("3.1.2-11", "No Will Flag: Will QoS is 0."),
    both("3.1.2-12", "With the Will Flag, Will QoS is 0, 1 or 2."),
    both("3.1.2-13", "No Will Flag: Will Retain is 0."),
    server("3.1.2-14", "Without Will Retain the will is published as a message not retained."),
    server("3.1.2-15", "With Will Retain the will is published as a retained message."),
    both("3.1.2-16", "No User Name Flag, no user name."),
    both("3.1.2-17", "The User Name Flag means that there is a user name."),
    both("3.1.2-18", "No Password Flag, no password."),
    both("3.1.2-19", "The Password Flag means that there is a password."),
    client(
      "3.1.2-20",
      "A client with a Keep Alive sends PINGREQ where it has nothing else to send.",
      CLIENTS_OWN,
    ),
    client("3.1.2-21", "A client uses the Server Keep Alive instead of its own.", CLIENTS_OWN),
    server(
      "3.1.2-22",
      "A client silent for one and a half times its Keep Alive is treated as if the network had failed.",
    ),
    both(
      "3.1.2-23",
      "With a Session Expiry Interval above 0 the session is kept after the connection.",
    ),
    server("3.1.2-24", "No packet to a client is larger than its Maximum Packet Size."),
    server(
      "3.1.2-25",
      "A message too large for the client is dropped, and counts as if it had been delivered.",
    ),
    server("3.1.2-26", "No Topic Alias to a client is above its Topic Alias Maximum."),
    server("3.1.2-27", "No Topic Alias Maximum, or 0: no Topic Alias is sent at all."),
    server("3.1.2-28", "No Response Information unless the client asks for it."),
    server(
      "3.1.2-29",
      "A client that wants no problem information gets Reason Strings and User Properties in PUBLISH, CONNACK and DISCONNECT at most.",
    ),
    client(
      "3.1.2-30",
      "With an Authentication Method a client sends nothing but AUTH and DISCONNECT before CONNACK.",
    ),
    both(
      "3.1.3-1",
      "The payload's fields have the order client identifier, will properties, will topic, will payload, user name, password.",
    ),
    both("3.1.3-2", "A session is found by its client identifier."),
    both("3.1.3-3", "The client identifier is always there, as the payload's first field."),
    both("3.1.3-4", "The client identifier is a UTF-8 string."),
    server("3.1.3-5", "Client identifiers of 1 to 23 digits and Latin letters are accepted."),
    server("3.1.3-6", "A client whose identifier is empty is given one of its own."),
    server(
      "3.1.3-7",
      "An assigned identifier is used as if the client had sent it, and CONNACK tells it.",
    ),
    server(
      "3.1.3-8",
      "A client identifier that is not accepted may get CONNACK 0x85; the connection is closed.",
    ),
    server("3.1.3-9", "A reconnect within the Will Delay Interval keeps the will from being sent."),
    server("3.1.3-10", "The will's User Properties keep their order."),
    both("3.1.3-11", "The will topic is a UTF-8 string."),
    both("3.1.3-12", "The user name is a UTF-8 string."),
    server("3.1.4-1", "A CONNECT that is not as section 3.1 wants it closes the connection."),
    server(
      "3.1.4-2",
      "A CONNECT that fails the server's own checks, such as authentication, closes the connection.",
    ),
    server(
      "3.1.4-3",
      "A later connection of the same client identifier closes the earlier one, with DISCONNECT 0x8E.",
    ),
    server("3.1.4-4", "Clean Start is dealt with at CONNECT."),
    server("3.1.4-5", "A CONNECT that is accepted gets CONNACK 0x00."),
    server(
      "3.1.4-6",
      "Nothing that comes behind a refused CONNECT is processed, except AUTH packets.",
    ),
  ],
};
