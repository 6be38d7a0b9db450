import { expect, test } from "vitest";
import { waitFor } from "./wait-for.ts";

test("resolves to the first truthy answer", async () => {
  const answers = [undefined, false, 0, "yes", "no"];
  expect(await waitFor(() => answers.shift())).toBe("yes");
});

test("a condition that throws is asked again", async () => {
  let calls = 0;
  const answer = await waitFor(async () => {
    if (++calls < 3) throw new Error("not yet");
    return calls;
  });
  expect(answer).toBe(3);
});

test("a timeout says what was waited for, and why it was not met", async () => {
  const cause = new Error("no socket");
  const failing = waitFor(() => Promise.reject(cause), { timeout: 5, what: () => "a socket" });
  await expect(failing).rejects.toMatchObject({
    message: "waited 5 ms in vain for a socket",
    cause,
  });
});
