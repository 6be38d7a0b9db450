import { flags } from "./flags.ts";
import { roles } from "./roles.ts";
import { type Setting, settings } from "./settings.ts";

const introduction = `# Configuration

This file is made from the schema in \`packages/config/src/schema.ts\` by \`npm run docs\`.

Every setting has a default, and four places can set it; each counts more than the ones before it:

1. the default,
2. a YAML file, named by \`--config FILE\` or the environment variable \`CANOPY_CONFIG\`,
3. environment variables,
4. flags.

The broker does not start with a setting that it does not know or cannot use; it says which one, what
was given and what is allowed.

## Ways to write a setting

**In the file**, sections are tables:

\`\`\`yaml
listen:
  - tcp://0.0.0.0:1883
  - ws://0.0.0.0:8083/mqtt
auth:
  passwordFile: /etc/canopy/passwords
limits:
  maxPacketSize: 256KiB
shared:
  strategy: round-robin
  strategies:
    workers: sticky
\`\`\`

**As an environment variable**, a key is written in capitals after \`CANOPY_\`, with \`_\` between the
words of a part and \`__\` between parts: \`limits.maxPacketSize\` is \`CANOPY_LIMITS__MAX_PACKET_SIZE\`. A
list is separated by commas, and a map is written \`name=value,name=value\`. An unknown variable with
\`__\` in its name is an error.

**As a flag**, any setting is \`--set key=value\`, for example \`--set limits.maxPacketSize=256KiB\` or
\`--set shared.strategies.workers=sticky\`. The other flags:

`;

const afterFlags = `
The \`--listen\` flags together replace the listeners from other places.

**Durations** are numbers of milliseconds, or texts such as \`200ms\`, \`3s\`, \`5m\`, \`1h\`, \`7d\`. What MQTT
counts in seconds is a number of seconds or such a text. **Sizes** are numbers of bytes, or texts such
as \`64KiB\`, \`1MiB\`, \`1GiB\`.

**Which process uses a setting** stands beside it: the \`standalone\` broker, or a \`gateway\`, a \`session\`
node or a \`store\` process of a cluster. One file or environment may serve all of them, and each warns of
what it has no use for; a flag that it has no use for is an error.

A listener that other machines can reach needs \`auth.passwordFile\` or
\`auth.anonymous: true\`; otherwise the broker does not start.
`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

function describe({ key, shownDefault, unit, allowed, ...setting }: Setting): string[] {
  const { description, variable, roles: users } = setting;
  const preset = shownDefault === undefined ? "" : `\`${shownDefault}\``;
  const used = users.length === roles.length ? "all" : users.join(", ");
  return [`\`${key}\``, preset, unit ?? "", allowed, used, `${description} \`${variable}\``];
}

function sectionOf(key: string): string {
  return key.includes(".") ? key.slice(0, key.indexOf(".")) : "";
}

/** The text of docs/configuration.md. */
export function documentation(): string {
  const flagRows = flags.map(({ name, value, description }) => {
    return [`\`--${name}${value === undefined ? "" : ` ${value}`}\``, description];
  });
  let text = introduction + table(["flag", "effect"], flagRows) + afterFlags;
  for (const section of new Set(settings.map(({ key }) => sectionOf(key)))) {
    const rows = settings.filter(({ key }) => sectionOf(key) === section).map(describe);
    const title = section === "" ? "Listeners and data" : section;
    text += `\n## ${title}\n\n`;
    text += table(["key", "default", "unit", "allowed", "used by", "meaning, variable"], rows);
  }
  return text;
}
