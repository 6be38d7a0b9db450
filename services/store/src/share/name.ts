const SHARE_PREFIX = "$share/";

/** Whether it is the filter, and so the queue, of a shared subscription. */
export function isShared(filter: string): boolean {
  return filter.startsWith(SHARE_PREFIX);
}
