/** What a person who has just started the broker wants to know. */
export function banner(addresses: readonly string[]): string {
  const tcp = addresses.find((address) => address.startsWith("tcp://"));
  const lines = [`Canopy is ready: ${addresses.join(", ")}`];
  if (tcp !== undefined) {
    const { hostname, port } = new URL(tcp.replace("tcp:", "http:"));
    const where = `-h ${hostname.replace(/^\[|\]$/g, "")} -p ${port === "" ? "80" : port}`;
    lines.push(
      `  subscribe: mosquitto_sub ${where} -t 'hello/#' -v`,
      `  publish:   mosquitto_pub ${where} -t hello/world -m 'Hello, Canopy' -q 1`,
    );
  }
  return lines.join("\n");
}
