import { expect, test } from "vitest";
import { allowsAnonymous } from "./anonymous.ts";
import { loadConfig } from "./load.ts";

const nobody = () => {
  throw new Error("no file");
};

test.each([
  { set: [], loopback: true, others: false },
  { set: ["auth.anonymous=true"], loopback: true, others: true },
  { set: ["auth.anonymous=false"], loopback: false, others: false },
  { set: ["auth.passwordFile=p"], loopback: false, others: false },
  { set: ["auth.passwordFile=p", "auth.anonymous=true"], loopback: true, others: true },
])("who may come without credentials: %j", ({ set, loopback, others }) => {
  const argv = set.flatMap((setting) => ["--set", setting]);
  const { config } = loadConfig({ argv, env: {}, readFile: nobody });
  expect(allowsAnonymous(config, { host: "127.0.0.1" })).toBe(loopback);
  expect(allowsAnonymous(config, { host: "0.0.0.0" })).toBe(others);
});
