import { Batcher, type BatchOutcome } from '../../src/platform/batcher';

/** A batcher whose batches end when the test says so. */
function controlled({ sizeMax = 10, waitingMax = 10 } = {}) {
  const running: {
    requests: readonly number[];
    end: (outcome: BatchOutcome<string>) => void;
    fail: (error: Error) => void;
  }[] = [];
  const batcher = new Batcher<number, string>({
    sizeMax,
    waitingMax,
    overloaded: 'overloaded',
    run: (requests) => new Promise((end, fail) => running.push({ requests, end, fail })),
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const each = (requests: readonly number[]): BatchOutcome<string> => ({
    kind: 'each',
    answers: requests.map((n) => `ok ${n}`),
  });
  return { batcher, running, turn, each };
}

it('decides together what arrives together', async () => {
  const { batcher, running, turn, each } = controlled();
  const answers = [1, 2, 3].map((n) => batcher.add(n));
  await turn();
  expect(running.map(({ requests }) => requests)).toEqual([[1, 2, 3]]);
  running[0]!.end(each([1, 2, 3]));
  expect(await Promise.all(answers)).toEqual(['ok 1', 'ok 2', 'ok 3']);
});

it('collects the next batch while one is running, in order and of bounded size', async () => {
  const { batcher, running, turn, each } = controlled({ sizeMax: 2 });
  const answers = [batcher.add(1)];
  await turn();
  answers.push(...[2, 3, 4].map((n) => batcher.add(n)));
  await turn();
  expect(running).toHaveLength(1);
  for (const expected of [[1], [2, 3], [4]]) {
    await turn();
    const batch = running.at(-1)!;
    expect(batch.requests).toEqual(expected);
    batch.end(each(batch.requests));
  }
  expect(await Promise.all(answers)).toEqual(['ok 1', 'ok 2', 'ok 3', 'ok 4']);
});

it('lets nobody wait for a database that just failed the batch before', async () => {
  const { batcher, running, turn } = controlled();
  const first = batcher.add(1);
  await turn();
  const second = batcher.add(2);
  running[0]!.end({ kind: 'all', answer: 'unreachable' });
  expect(await Promise.all([first, second])).toEqual(['unreachable', 'unreachable']);
  expect(running).toHaveLength(1);
});

it('keeps a fault to its own batch', async () => {
  const { batcher, running, turn, each } = controlled();
  const first = batcher.add(1);
  await turn();
  const second = batcher.add(2);
  running[0]!.fail(new Error('a fault'));
  await expect(first).rejects.toThrow('a fault');
  await turn();
  running[1]!.end(each([2]));
  expect(await second).toBe('ok 2');
});

it('turns away at once when too many wait', async () => {
  const { batcher, turn } = controlled({ waitingMax: 1 });
  void batcher.add(1);
  await turn();
  void batcher.add(2);
  expect(await batcher.add(3)).toBe('overloaded');
});
