import { waitUntil } from '@evergrant/drills/eventually';
import { WitnessObserver, type WitnessSnapshot, witnessResponder } from '../../src/proxy/witness-observer';
import { FakeServer } from './fake-server';

jest.setTimeout(60_000);

const WITHIN_MS = 15_000;
const TIMEOUTS = { probeEveryMs: 60, probeTimeoutMs: 150 };

describe('witness observer', () => {
  let oregon: FakeServer;
  let observer: WitnessObserver;
  const changes: string[] = [];

  beforeEach(async () => {
    oregon = await new FakeServer('oregon').start();
    changes.length = 0;
    observer = new WitnessObserver({
      routerUrl: oregon.url,
      timeouts: TIMEOUTS,
      onChange: ({ now }) => changes.push(now),
    });
  });

  afterEach(async () => {
    observer.stop();
    await oregon.die();
  });

  const reads = (reading: string) =>
    waitUntil(`it reads ${reading}`, WITHIN_MS, () => observer.view().app.reading === reading);

  it('reports unknown before the first probe', () => {
    expect(observer.view()).toMatchObject({ app: { reading: 'unknown' }, observedAt: null, ageMs: null });
  });

  it('reports up and the age of the probe', async () => {
    observer.start();
    await reads('up');
    const { observedAt, ageMs } = observer.view();
    expect(Math.abs(Date.parse(String(observedAt)) - Date.now())).toBeLessThan(5_000);
    expect(ageMs).toBeLessThan(TIMEOUTS.probeEveryMs + TIMEOUTS.probeTimeoutMs);
  });

  it('reports unknown between up and down', async () => {
    observer.start();
    await reads('up');
    await oregon.die();
    await reads('down');
    expect(changes).toEqual(['up', 'unknown', 'down']);
  });

  it('reports a hung router as down and one that answers again as up', async () => {
    observer.start();
    await reads('up');
    oregon.behavior = 'hangs';
    await reads('down');
    oregon.behavior = 'grants';
    await reads('up');
    expect(changes).toEqual(['up', 'unknown', 'down', 'up']);
  });

  it('does not report down after one lost answer', async () => {
    observer.start();
    await reads('up');
    oregon.behavior = 'hangs';
    await reads('unknown');
    oregon.behavior = 'grants';
    await reads('up');
    expect(changes).not.toContain('down');
  });

  it('reports unknown when the last probe is too old', async () => {
    observer.start();
    await reads('up');
    observer.stop();
    await reads('unknown');
    expect(observer.view().app.because).toBe('the last probe is too old');
  });

  it('serves only GET /view, /view/REGION and /livez', async () => {
    const unobserved = { view: (): WitnessSnapshot => observer.view() };
    const respond = witnessResponder({ oregon: observer, virginia: unobserved });
    const ask = (method: string, path: string) =>
      respond({ method, path, target: path, headers: {}, rawHeaders: [], body: undefined, remoteAddress: '' });
    for (const path of ['/view', '/view/oregon', '/view/virginia']) expect(ask('GET', path).status).toBe(200);
    expect(ask('GET', '/view/ohio').status).toBe(404);
    expect(ask('POST', '/view').status).toBe(405);
    expect(ask('GET', '/v1/status').status).toBe(404);
  });
});
