import { once } from 'node:events';
import { connect } from 'node:net';
import { LICENSE, TestWorld } from '@evergrant/test-support/server/test-world';

it('a server ends although somebody keeps a connection open on which nothing was ever asked', async () => {
  const world = await TestWorld.create(LICENSE);
  const server = await world.startGranting();
  const silent = connect(Number(new URL(server.address).port), '127.0.0.1');
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  const gone = once(silent, 'close');
  await server.stop();
  await gone;
  await world.close();
}, 20_000);
