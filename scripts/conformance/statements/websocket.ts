import { both, client, type Section, server } from "../statement.ts";

export const WEBSOCKET: Section = {
  title: "WebSocket (6)",
  statements: [
    both("6.0.0-1", "Packets come in binary frames; any other data frame closes the connection."),
    both("6.0.0-2", "A frame may hold several packets, or part of one."),
    client("6.0.0-3", "A client offers the subprotocol “mqtt”."),
    server("6.0.0-4", "The server selects the subprotocol “mqtt”."),
  ],
};
