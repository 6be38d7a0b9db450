/** aedes as a process: `node aedes-main.ts [FOLDER]`; with a folder it keeps sessions there. */
import { createServer } from "node:net";
import { Aedes } from "aedes";
import levelPersistence from "aedes-persistence-level";
import { ClassicLevel } from "classic-level";

const [folder] = process.argv.slice(2);

const persistence = folder === undefined ? undefined : levelPersistence(new ClassicLevel(folder));
const broker = await Aedes.createBroker(persistence === undefined ? {} : { persistence });
const server = createServer({ noDelay: true }, broker.handle);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  process.stdout.write(`listening on ${port}\n`);
});
process.on("SIGTERM", () => process.exit());
