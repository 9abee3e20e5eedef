import { ApiTokenVerifier, sha256Of } from '../../src/api-tokens/api-token-verifier';
import type { FoundToken } from '../../src/api-tokens/store';
import { DatabaseFailure } from '../../src/platform/database-failure';
import { createLog } from '../../src/platform/log';

/** A registry of tokens whose looks the test counts and answers, on a clock that the test moves. */
function registry(initial: Record<string, FoundToken> = {}) {
  const state = {
    nowMs: 1_000,
    tokens: new Map(Object.entries(initial)),
    looks: [] as string[][],
    databaseAnswers: true,
    fails: false,
    /** Set: looks wait for it. */
    gate: undefined as Promise<void> | undefined,
  };
  const tokens = new ApiTokenVerifier({
    clock: { nowMs: () => state.nowMs },
    log: createLog({ server: 'test', level: 'silent' }),
    databaseAnswers: () => state.databaseAnswers,
    store: {
      find: async (sha256s) => {
        state.looks.push([...sha256s]);
        const found = new Map([...state.tokens].map(([token, known]) => [sha256Of(token), known] as const));
        await state.gate;
        if (state.fails) throw new DatabaseFailure('unreachable', { cause: new Error('gone') });
        return new Map([...found].filter(([sha256]) => sha256s.includes(sha256)));
      },
    },
  });
  return { state, tokens };
}

const alive = (name: string, expiresInMs?: number): FoundToken => ({
  caller: { name, scopes: ['lease'] },
  expiresInMs,
});

const soon = () => new Promise((resume) => setTimeout(resume, 20));

it('ApiTokenVerifier: looks a token up at its first use and caches it', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a') });
  expect(await tokens.check('token-a')).toEqual({ kind: 'known', caller: { name: 'a', scopes: ['lease'] } });
  state.nowMs += 1_900;
  expect((await tokens.check('token-a')).kind).toBe('known');
  expect(state.looks).toHaveLength(1);
});

it('ApiTokenVerifier: refuses a revoked token within four seconds of the last lookup', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a') });
  await tokens.check('token-a');
  state.tokens.clear();
  state.nowMs += 4_000;
  expect((await tokens.check('token-a')).kind).toBe('unknown');
});

it('ApiTokenVerifier: refreshes a busy token in the background', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a') });
  await tokens.check('token-a');
  state.tokens.clear();
  state.nowMs += 2_500;
  expect((await tokens.check('token-a')).kind).toBe('known');
  await soon();
  expect(state.looks).toHaveLength(2);
  expect((await tokens.check('token-a')).kind).toBe('unknown');
});

it('ApiTokenVerifier: refuses an expired token between two lookups', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a', 500) });
  expect((await tokens.check('token-a')).kind).toBe('known');
  state.tokens.clear();
  state.nowMs += 500;
  expect((await tokens.check('token-a')).kind).toBe('unknown');
});

it('ApiTokenVerifier: accepts a token within a second of its creation on another server', async () => {
  const { state, tokens } = registry();
  expect((await tokens.check('token-a')).kind).toBe('unknown');
  state.tokens.set('token-a', alive('a'));
  expect((await tokens.check('token-a')).kind).toBe('unknown');
  expect(state.looks).toHaveLength(1);
  state.nowMs += 1_000;
  expect((await tokens.check('token-a')).kind).toBe('known');
});

it('ApiTokenVerifier: batches concurrent lookups', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a'), 'token-b': alive('b') });
  const verdicts = await Promise.all(['token-a', 'token-b', 'token-a', 'stranger'].map((token) => tokens.check(token)));
  expect(verdicts.map(({ kind }) => kind)).toEqual(['known', 'known', 'known', 'unknown']);
  expect(state.looks.map((look) => look.length)).toEqual([3]);
});

it('ApiTokenVerifier: bounds the cache of unknown tokens', async () => {
  const { state, tokens } = registry();
  await Promise.all(Array.from({ length: 4_000 }, (_, n) => tokens.check(`stranger-${n}`)));
  await Promise.all(Array.from({ length: 4_000 }, (_, n) => tokens.check(`stranger-${n + 4_000}`)));
  await Promise.all(Array.from({ length: 4_000 }, (_, n) => tokens.check(`stranger-${n + 8_000}`)));
  const before = state.looks.length;
  expect((await tokens.check('stranger-11999')).kind).toBe('unknown');
  expect(state.looks).toHaveLength(before);
  await tokens.check('stranger-0');
  expect(state.looks).toHaveLength(before + 1);
});

describe('ApiTokenVerifier: while the database is unreachable', () => {
  it('accepts cached tokens without a lookup', async () => {
    const { state, tokens } = registry({ 'token-a': alive('a') });
    await tokens.check('token-a');
    state.databaseAnswers = false;
    state.nowMs += 3_600_000;
    expect((await tokens.check('token-a')).kind).toBe('known');
    expect((await tokens.check('token-b')).kind).toBe('unavailable');
    expect(state.looks).toHaveLength(1);
  });

  it('refuses cached tokens that have expired', async () => {
    const { state, tokens } = registry({ 'token-a': alive('a', 10_000) });
    await tokens.check('token-a');
    state.databaseAnswers = false;
    state.nowMs += 10_000;
    expect((await tokens.check('token-a')).kind).toBe('unavailable');
  });

  it('accepts no token from an outdated cache when a lookup fails', async () => {
    const { state, tokens } = registry({ 'token-a': alive('a') });
    await tokens.check('token-a');
    state.fails = true;
    state.nowMs += 4_000;
    expect((await tokens.check('token-a')).kind).toBe('unavailable');
    state.fails = false;
    expect((await tokens.check('token-a')).kind).toBe('known');
  });
});

it('ApiTokenVerifier: forgets a token that was changed on this server', async () => {
  const { state, tokens } = registry({ 'token-a': alive('a') });
  await tokens.check('token-a');
  state.tokens.clear();
  tokens.forget();
  expect((await tokens.check('token-a')).kind).toBe('unknown');
});
