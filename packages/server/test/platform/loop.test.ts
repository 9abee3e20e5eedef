import { eventually } from '@evergrant/test-support/eventually';
import { Loop } from '../../src/platform/loop';

it('never runs twice at once, and once more when kicked while running', async () => {
  let running = 0;
  let runs = 0;
  let end: () => void = () => undefined;
  const loop = new Loop(
    async () => {
      running += 1;
      runs += 1;
      expect(running).toBe(1);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      running -= 1;
    },
    () => 60_000,
  );
  const first = loop.start();
  loop.kick();
  loop.kick();
  end();
  await first;
  await eventually('it runs again', () => runs === 2);
  end();
  await eventually('it rests', () => running === 0);
  expect(runs).toBe(2);
  await loop.stop();
  loop.kick();
  expect(runs).toBe(2);
});

it('stops only when the step that is running has ended', async () => {
  let ended = false;
  const loop = new Loop(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      ended = true;
    },
    () => 0,
  );
  void loop.start();
  await loop.stop();
  expect(ended).toBe(true);
});
