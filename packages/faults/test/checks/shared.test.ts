import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { shared } from "../../src/checks/shared.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => shared(digest(events)).length;
const filter = "$share/g/f/#";
const begin = (qos: 1 | 2) =>
  new Story()
    .connected("p", 1)
    .connected("a", 2)
    .subscribed("a", 2, filter, qos)
    .connected("b", 3)
    .subscribed("b", 3, filter, qos)
    .published("p", 1, { qos });
const q1 = { qos: 1 as const };

test("each message reaches a member", () => {
  expect(of(begin(2).received("a", 2, "p", 1))).toBe(0);
  expect(of(begin(2))).toBe(1);
  expect(of(begin(1))).toBe(1);
});

test("[MQTT-4.8.2-5] a QoS 2 message reaches one, whatever became of its connection", () => {
  const story = begin(2).received("a", 2, "p", 1).closed("a", 2);
  expect(of(story.received("b", 3, "p", 1))).toBe(1);
  const repeated = begin(2).received("a", 2, "p", 1).closed("a", 2).connected("a", 4);
  expect(of(repeated.received("a", 4, "p", 1, { dup: true, isRepeated: true }))).toBe(0);
});

test("[MQTT-4.8.2-4] a QoS 1 message goes to another when the connection of the first has ended", () => {
  const given = () => begin(1).received("a", 2, "p", 1, q1);
  expect(of(given().closed("a", 2).received("b", 3, "p", 1, q1))).toBe(0);
  expect(of(given().received("b", 3, "p", 1, q1))).toBe(1);
});

test("a QoS 1 message that was sent twice, or whose owner was killed, may reach two", () => {
  const twice = begin(1)
    .received("a", 2, "p", 1, q1)
    .sent("p", 1, { ...q1, dup: true });
  expect(of(twice.received("b", 3, "p", 1, q1))).toBe(0);
  const killed = begin(1).received("a", 2, "p", 1, q1).fault("store-1", "begin");
  expect(of(killed.received("b", 3, "p", 1, q1))).toBe(0);
});

test("what is settled does not come again", () => {
  const story = new Story().connected("a", 2).subscribed("a", 2, filter).settled("p", 3);
  expect(of(story.received("a", 2, "p", 3))).toBe(1);
});
