import { RequestBudgets } from '../../src/platform/http/request-budgets';

const POLICY = { perControlRoom: 10, perToken: 100 };
const ROOM = { controlRoom: 'room-1', name: 'token-1' };

let nowMs = 0;
const budgets = () => new RequestBudgets(POLICY, () => nowMs);

beforeEach(() => {
  nowMs = 0;
});

describe('request budgets', () => {
  it('count every token of a Control Room together, and other callers apart', () => {
    const counted = budgets();
    counted.charge(ROOM, 6);
    expect(counted.charge({ ...ROOM, name: 'token-2' }, 4)).toMatchObject({ remaining: 0, exceeded: false });
    expect(counted.charge(ROOM, 1)).toMatchObject({ name: 'control_room', max: 10, exceeded: true });
    expect(counted.charge({ ...ROOM, controlRoom: 'room-2' }, 1)).toMatchObject({ remaining: 9, exceeded: false });
    expect(counted.charge({ name: 'room-1' }, 1)).toMatchObject({ name: 'token', max: 100 });
  });

  it('are full again a minute after the first request', () => {
    const counted = budgets();
    counted.charge(ROOM, 11);
    nowMs = 59_001;
    expect(counted.charge(ROOM, 1)).toMatchObject({ exceeded: true, resetSeconds: 1 });
    nowMs = 60_000;
    expect(counted.charge(ROOM, 1)).toMatchObject({ exceeded: false, remaining: 9, resetSeconds: 60 });
  });

  it('forget the oldest caller of very many', () => {
    const counted = budgets();
    counted.charge(ROOM, 11);
    for (let n = 0; n < 100_000; n++) counted.charge({ name: `token-${n}` }, 1);
    expect(counted.charge(ROOM, 1)).toMatchObject({ exceeded: false });
  });
});
