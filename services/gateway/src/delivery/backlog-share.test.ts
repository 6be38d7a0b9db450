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
    expect(share.timeLeft).toBeGreaterThan(0);
    expect(share.timeLeft).toBeLessThanOrEqual(5); // there may be no more live traffic
    pass(1);
  }
  expect(waited).toBeGreaterThanOrEqual(10);
  expect(waited).toBeLessThan(30);
  // what was taken too early is paid back, and some time without live traffic forgives it
  deliver(2);
  deliver(2);
  share.beginTurn(traffic);
  expect(share.hasRoom).toBe(false);
  pass(5);
  share.beginTurn(traffic);
  expect(share.hasRoom).toBe(true);
});

test("live traffic that is not in every turn is live traffic", () => {
  const { share, pass, deliver } = shareAt(5);
  let traffic = 1;
  let delivering = 0;
  let time = 0;
  for (let turn = 0; turn < 10_000; turn++) {
    if (turn % 4 === 0) traffic++;
    share.beginTurn(traffic);
    pass(0.5);
    time += 0.5;
    if (!share.hasRoom) continue;
    deliver(1);
    delivering += 1;
    time += 1;
  }
  expect(delivering / time).toBeGreaterThan(1 / 15);
  expect(delivering / time).toBeLessThan(1 / 9);
});

test("a standstill in the middle of a delivery does not count as the backlog's time", () => {
  const { share, pass, deliver } = shareAt(5);
  let traffic = 1;
  share.beginTurn(traffic++);
  deliver(5000);
  let waited = 0;
  for (; waited < 5000; waited++) {
    share.beginTurn(traffic++);
    if (share.hasRoom) break;
    pass(1);
  }
  expect(waited).toBeGreaterThan(100);
  expect(waited).toBeLessThan(500);
});

test("what is under way counts until it has come, and beside live traffic less may be", () => {
  const { share } = shareAt(0);
  share.beginTurn(0);
  share.messages = 600;
  expect(share.hasRoom).toBe(true);
  share.beginTurn(1);
  expect(share.hasRoom).toBe(false);
  expect(share.timeLeft).toBeUndefined();
  share.messages = 0;
  expect(share.hasRoom).toBe(true);
});
