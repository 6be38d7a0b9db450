export { type AdminIo, adminCommand } from "./command.ts";
