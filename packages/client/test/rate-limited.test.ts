import { waitUntil } from '@evergrant/drills/eventually';
import { LicenseClient } from '../src/license-client';
import { LicenseService } from './license-service';

const WITHIN_MS = 15_000;

it('rate limit: the client waits for Retry-After and sends no request to another server', async () => {
  const [oregon, virginia] = await Promise.all(['oregon', 'virginia'].map((name) => new LicenseService(name).start()));
  if (!oregon || !virginia) throw new Error('two services were started');
  Object.assign(oregon, { mood: 'busy', retryAfterSeconds: 2 });
  virginia.mood = 'refers';
  const client = new LicenseClient({
    addresses: [oregon.url, virginia.url],
    token: 'secret-token',
    holder: 'control-room-1',
    checkoutDeadlineMs: WITHIN_MS,
    backoffBaseMs: 10,
    backoffCapMs: 50,
    sessions: false,
  });
  try {
    const asked = client.checkout({ product: 'studio', feature: 'bot-runner', seats: 1 });
    await waitUntil('the response with Retry-After', WITHIN_MS, () => oregon.asks('PUT').length === 1);
    const elsewhere = virginia.asks('PUT').length;
    oregon.mood = 'grants';
    expect((await asked).kind).toBe('granted');
    const [told, again] = oregon.asks('PUT');
    expect((again?.atMs ?? 0) - (told?.atMs ?? 0)).toBeGreaterThanOrEqual(1_990);
    expect(virginia.asks('PUT')).toHaveLength(elsewhere);
  } finally {
    await client.close({ release: false });
    await Promise.all([oregon.die(), virginia.die()]);
  }
});
