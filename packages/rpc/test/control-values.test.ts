/** What is said on one side of the port Control is what is heard on the other, whatever it is. */
import type { Ban, JoinRequest, Member, VersionedChange, WholeView } from "@canopy/control";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as values from "../src/control/values.ts";
import * as messages from "../src/gen/canopy/control/v1/control_pb.ts";
import { decodeMessage, encodeMessage } from "../src/index.ts";
import { number, text, uint32 } from "./session-values.ts";

const kind = fc.constantFrom<Member["kind"]>("gateway", "store");
const banKind = fc.constantFrom<Ban["kind"]>("client", "user", "address");

const member = fc.record({ kind, incarnation: number, name: text, address: text, disk: text });
const place = fc.record({ shard: uint32, owner: number, epoch: number, home: text });
const ban = fc.record({ kind: banKind, value: text, reason: text, until: number });
const node = fc.record({
  name: text,
  address: text,
  disk: number,
  replica: number,
  standing: fc.constantFrom(
    "member" as const,
    "leaving" as const,
    "awaited" as const,
    "left" as const,
  ),
  drained: fc.boolean(),
});

const change: fc.Arbitrary<VersionedChange> = fc.record({
  version: number,
  change: fc.oneof(
    fc.record({ type: fc.constant("member-up" as const), member }),
    fc.record({
      type: fc.constantFrom(
        "gateway-down" as const,
        "gateway-gone" as const,
        "store-down" as const,
      ),
      incarnation: number,
    }),
    fc.record({ type: fc.constant("shard" as const), place }),
    fc.record({ type: fc.constant("node" as const), node }),
    fc.record({ type: fc.constant("banned" as const), ban }),
    fc.record({ type: fc.constant("unbanned" as const), kind: banKind, value: text }),
  ),
});

const whole: fc.Arbitrary<WholeView> = fc.record({
  version: number,
  shards: uint32,
  groups: uint32,
  members: fc.array(member),
  down: fc.array(fc.record({ incarnation: number, since: number })),
  places: fc.array(place),
  nodes: fc.array(node),
  bans: fc.array(ban),
});

const joinRequest: fc.Arbitrary<JoinRequest> = fc.record({
  kind,
  name: text,
  address: text,
  disk: text,
  token: text,
});

test("changes, views and requests stay what they are", () => {
  fc.assert(
    fc.property(change, (one) => {
      const bytes = encodeMessage(messages.ChangeSchema, values.toChange(one));
      expect(values.fromChange(decodeMessage(messages.ChangeSchema, bytes))).toEqual(one);
    }),
  );
  fc.assert(
    fc.property(whole, (view) => {
      const bytes = encodeMessage(messages.WholeViewSchema, values.toWhole(view));
      expect(values.fromWhole(decodeMessage(messages.WholeViewSchema, bytes))).toEqual(view);
    }),
  );
  fc.assert(
    fc.property(joinRequest, (request) => {
      const bytes = encodeMessage(messages.JoinRequestSchema, values.toJoin(request));
      expect(values.fromJoin(decodeMessage(messages.JoinRequestSchema, bytes))).toEqual(request);
    }),
  );
});

test("a change that this version does not know is not left out", () => {
  const later = decodeMessage(messages.ChangeSchema, encodeMessage(messages.ChangeSchema, {}));
  expect(() => values.fromChange(later)).toThrow("not understood: a change of a later version");
  const bytes = encodeMessage(messages.MemberSchema, { kind: 9 as messages.MemberKind });
  const strange = decodeMessage(messages.MemberSchema, bytes);
  const up = { case: "memberUp" as const, value: strange };
  expect(() => values.fromChange({ ...later, change: up })).toThrow("kind of member 9");
});
