/** Polls until `look` returns something other than undefined or false; fails at the deadline, naming what was awaited. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { deadlineMs = 10_000, everyMs = 25 } = {},
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, everyMs));
  }
}
