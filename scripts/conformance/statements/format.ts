import { both, client, type Section, server } from "../statement.ts";

export const FORMAT: Section = {
  title: "Data representation and packet format (1.5, 2)",
  statements: [
    both("1.5.4-1", "Strings are well-formed UTF-8, without the surrogates U+D800 to U+DFFF."),
    both("1.5.4-2", "Strings hold no U+0000."),
    both("1.5.4-3", "EF BB BF is U+FEFF wherever it stands; it is never skipped or stripped."),
    both("1.5.5-1", "A Variable Byte Integer takes no more bytes than its value needs."),
    both("1.5.7-1", "Name and value of a string pair both obey the rules for strings."),
    both("2.1.3-1", "Reserved flag bits have the values that the table gives them."),
    both("2.2.1-2", "A PUBLISH of QoS 0 has no Packet Identifier."),
    client(
      "2.2.1-3",
      "A client's new SUBSCRIBE, UNSUBSCRIBE or PUBLISH above QoS 0 has an identifier that is not 0 and not in use.",
    ),
    server(
      "2.2.1-4",
      "A server's new PUBLISH above QoS 0 has an identifier that is not 0 and not in use.",
    ),
    both(
      "2.2.1-5",
      "The packets that acknowledge a PUBLISH (PUBACK, PUBREC, PUBREL, PUBCOMP) repeat its identifier.",
    ),
    server("2.2.1-6", "SUBACK and UNSUBACK repeat the identifier of what they answer."),
    both("2.2.2-1", "No properties means a Property Length of 0, not none."),
  ],
};
