import { randomUUID } from 'node:crypto';
import { PRODUCT, type RunningServer, TestWorld } from './support/test-world';

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
});

afterAll(() => world.close());

function body(overrides: object = {}): object {
  return { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room-1', ...overrides };
}

describe('checkout', () => {
  it('grants a lease', async () => {
    const leaseId = randomUUID();
    const { status, body: lease } = await server.call('PUT', `/v1/leases/${leaseId}`, body());
    expect(status).toBe(201);
    expect(lease).toMatchObject({ leaseId, epoch: 1, servedBy: 'oregon/app-1' });
  });
});
