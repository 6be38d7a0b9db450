import { expect, test } from "vitest";
import { BacklogShare } from "./backlog-share.ts";

function shareAt(start: number) {
  let now = start;
  const share = new BacklogShare({ now: () => now, wall: () => 0 });
  const pass = (ms: number): void => {
    now += ms;
  };
  const deliver = (ms: number): void => {
    const began = now;
    pass(ms);
    share.spent(began);
  };
  return { share, pass, deliver };
}

test("without live traffic a backlog has every turn", () => {
  const { share, deliver } = shareAt(5);
  share.beginTurn(7);
  const turns = [1, 2, 3].map(() => {
    deliver(10);
    share.beginTurn(7);
    return share.hasRoom;
  });
  expect(turns).toEqual([true, true, true]);
});

test("beside live traffic it waits until others had a multiple of its time", () => {
  const { share, pass, deliver } = shareAt(5);
  let traffic = 1;
  share.beginTurn(traffic++);
  expect(share.hasRoom).toBe(true);
  deliver(2);
  let waited = 0;
  for (; waited < 1000; waited++) {
    share.beginTurn(traffic++);
    if (share.hasRoom) break;
    expect(share.isWaiting).toBe(true);
    pass(1);
  }
  expect(waited).toBeGreaterThanOrEqual(10);
  expect(waited).toBeLessThan(30);
  // what was taken too early is paid back, and a turn without live traffic forgives it
  deliver(2);
  deliver(2);
  share.beginTurn(traffic);
  expect(share.hasRoom).toBe(false);
  share.beginTurn(traffic);
  expect(share.hasRoom).toBe(true);
});

test("what is under way counts until it has come, and beside live traffic less may be", () => {
  const { share } = shareAt(0);
  share.beginTurn(0);
  share.messages = 600;
  expect(share.hasRoom).toBe(true);
  share.beginTurn(1);
  expect(share.hasRoom).toBe(false);
  expect(share.isWaiting).toBe(false);
  share.messages = 0;
  expect(share.hasRoom).toBe(true);
});
