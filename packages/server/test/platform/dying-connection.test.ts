import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { openPool, withConnection } from '../../src/platform/postgres/connection';

/** A message of PostgreSQL's protocol: type, length, content. */
function message(type: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, content]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const TERMINATED = message(
  'E',
  Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'),
);

/** A database that is shut down in the very moment in which it has let somebody in. */
let dying: Server;

beforeAll(async () => {
  dying = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, TERMINATED])));
  });
  dying.listen(0, '127.0.0.1');
  await once(dying, 'listening');
});

afterAll(() => {
  dying.close();
});

it('a connection that ends as it begins is a failure of the query, and not of the process', async () => {
  const { port } = dying.address() as AddressInfo;
  const address = { host: '127.0.0.1', port, name: 'license', user: 'server', password: 'none' };
  const pool = openPool(address, { applicationName: 'test', connectionsMax: 1 });
  const asked = withConnection(pool, (client) => client.query('select 1'));
  await expect(asked).rejects.toMatchObject({ kind: 'unreachable' });
  await pool.end();
});
