import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** There is no engine here to build it: what it says is read instead. */
const DOCKERFILE = readFileSync(join(__dirname, '../../server/Dockerfile'), 'utf8');
const stages = DOCKERFILE.split(/^FROM /m).slice(1);
const last = stages.at(-1) ?? '';

describe('the server’s Dockerfile', () => {
  it('ends in a stage without tools, made of what the others have prepared', () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last).not.toMatch(/^RUN /m);
  });

  it('runs as somebody who is not root, given by number', () => {
    expect(/^USER (\d+)/m.exec(last)?.[1]).not.toBe('0');
    expect(last.indexOf('USER')).toBeLessThan(last.indexOf('ENTRYPOINT'));
  });

  it('owns nothing of what it runs', () => {
    for (const [copy] of last.matchAll(/^COPY .+$/gm)) expect(copy).toContain('--chown=0:0');
  });

  it('installs what is needed in production, and runs no install scripts', () => {
    const production = stages.find((stage) => stage.includes('--omit=dev')) ?? '';
    expect(production).toContain('--ignore-scripts');
    expect(last).toContain('COPY --from=dependencies');
  });

  it('asks /livez whether it lives', () => {
    expect(last).toMatch(/HEALTHCHECK[\s\S]+\/livez/);
  });
});
