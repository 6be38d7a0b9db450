import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { dump, PLACEMENT } from "../test/group.ts";
import { Script, scripts } from "../test/script.ts";
import type { Command } from "./commands.ts";
import { SessionState } from "./state.ts";

// Thousands of random cases, on machines that do other things too.
vi.setConfig({ testTimeout: 30_000 });

/**
 * Not a packet identifier that is freed and given anew in one command: the gateway gives them in turn,
 * so 65,535 others come between.
 */
function isRepeatable(command: Command): boolean {
  if (command.type !== "deliveries") return true;
  return command.batch.every(({ completed, received, assigned }) =>
    assigned.every(({ packetId }) => !completed.includes(packetId) && !received.includes(packetId)),
  );
}

test("a command that is applied again at once changes nothing: who has no answer may repeat it", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      const [once, twice] = [SessionState.create(PLACEMENT), SessionState.create(PLACEMENT)];
      const script = new Script();
      for (const step of steps) {
        const command = script.command(step);
        script.answered(command, once.apply(command));
        twice.apply(command);
        if (isRepeatable(command)) twice.apply(command);
        expect(dump(twice)).toEqual(dump(once));
      }
    }),
    { numRuns: 300 },
  );
});
