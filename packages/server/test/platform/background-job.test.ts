import { eventually } from '@evergrant/test-support/eventually';
import type { RoleVerdict } from '../../src/epochs/core/role';
import { BackgroundJob, JobFailures, type JobReport } from '../../src/platform/background-job';
import { DatabaseFailure } from '../../src/platform/database-failure';
import { Metrics } from '../../src/platform/metrics';

interface Line {
  readonly level: string;
  readonly message: unknown;
}

function reporting(more: Partial<JobReport> = {}) {
  const lines: Line[] = [];
  const at = (level: string) => (fields: unknown, message?: unknown) => {
    lines.push({ level, message: message ?? fields });
  };
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as JobReport['log'];
  const metrics = new Metrics();
  const counted = async (): Promise<number> => {
    const { values } = await metrics.jobFailures.get();
    return values.find(({ labels }) => labels.job === 'test')?.value ?? 0;
  };
  return { report: { name: 'test', failureMessage: 'it failed', metrics, log, ...more }, lines, counted };
}

const RETRYABLE = new DatabaseFailure('unreachable', { cause: new Error('gone') });
const FAULT = new DatabaseFailure('fault', { cause: new Error('a bug') });

describe('JobFailures', () => {
  it('counts every failure and logs the first of a series', async () => {
    const { report, lines, counted } = reporting();
    const failures = new JobFailures(report);
    failures.failed(RETRYABLE);
    failures.failed(RETRYABLE);
    expect(lines).toEqual([{ level: 'debug', message: 'it failed' }]);
    expect(await counted()).toBe(2);
    failures.succeeded();
    failures.failed(RETRYABLE);
    expect(lines).toHaveLength(2);
    expect(await counted()).toBe(3);
  });

  it('logs a fault as an error, also within a series of retryable failures', () => {
    const { report, lines } = reporting({ retryableLevel: 'warn' });
    const failures = new JobFailures(report);
    failures.failed(RETRYABLE);
    failures.failed(FAULT);
    failures.failed(new TypeError('a bug'));
    failures.failed(RETRYABLE);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  it('logs a recovery once, and only after a failure', () => {
    const { report, lines } = reporting({ recoveryMessage: 'it works again' });
    const failures = new JobFailures(report);
    failures.succeeded();
    expect(lines).toEqual([]);
    failures.failed(RETRYABLE);
    failures.succeeded();
    failures.succeeded();
    expect(lines.slice(1)).toEqual([{ level: 'info', message: 'it works again' }]);
  });
});

describe('BackgroundJob', () => {
  it('goes on after a step that rejects', async () => {
    const { report, counted } = reporting();
    let runs = 0;
    const job = new BackgroundJob({
      ...report,
      everyMs: 1,
      step: async () => {
        runs += 1;
        throw RETRYABLE;
      },
    });
    await job.start();
    await eventually('it runs again', () => runs >= 3);
    await job.stop();
    expect(await counted()).toBe(runs);
    const atStop = runs;
    job.kick();
    expect(runs).toBe(atStop);
  });

  it('passes the epoch while the server grants, and skips the step otherwise', async () => {
    const { report } = reporting();
    const epochs: number[] = [];
    let verdict: RoleVerdict = { kind: 'not_granting', reason: 'starting' };
    let asked = 0;
    const job = new BackgroundJob({
      ...report,
      everyMs: 1,
      onlyWhileGranting: {
        verdict: () => {
          asked += 1;
          return verdict;
        },
      },
      step: async (epoch) => {
        epochs.push(epoch);
      },
    });
    void job.start();
    await eventually('the role was checked', () => asked >= 3);
    expect(epochs).toEqual([]);
    verdict = { kind: 'must_open_epoch', epoch: 7 };
    const before = asked;
    await eventually('the role was checked again', () => asked > before + 1);
    expect(epochs).toEqual([]);
    verdict = { kind: 'granting', epoch: 7 };
    await eventually('the step runs', () => epochs.length > 0);
    await job.stop();
    expect(new Set(epochs)).toEqual(new Set([7]));
  });
});
