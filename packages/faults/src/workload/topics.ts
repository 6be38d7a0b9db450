/** Counters that are kept by the broker. */
export const RETAINED = "r/";
/** Wills. */
export const WILLS = "w/";

export const isRetainedTopic = (topic: string): boolean => topic.startsWith(RETAINED);
export const isWillTopic = (topic: string): boolean => topic.startsWith(WILLS);

/** What a payload says: who sent it, and its number there. */
export interface Stamp {
  readonly publisher: string;
  readonly seq: number;
}

export function stamp({ publisher, seq }: Stamp): Buffer {
  return Buffer.from(`${publisher}:${seq}`);
}

export function readStamp(payload: Uint8Array): Stamp | undefined {
  const [, publisher, seq] = /^(.+):(\d+)$/.exec(Buffer.from(payload).toString()) ?? [];
  return publisher === undefined ? undefined : { publisher, seq: Number(seq) };
}
