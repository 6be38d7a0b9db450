/** Calls `step` for 0 to count - 1, with at most `width` of them unfinished. */
export async function inParallel(
  count: number,
  width: number,
  step: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await step(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
