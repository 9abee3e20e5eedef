import type { TargetProvider } from '../src/target';
import { selectTarget } from '../src/target-selection';

const provider = (name: string, runs: boolean): TargetProvider => ({
  name,
  description: name,
  detect: () => runs,
  open: () => {
    throw new Error('not opened by the selection');
  },
});

const select = (option: string | undefined, environment: NodeJS.ProcessEnv, { localRuns = false } = {}): string =>
  selectTarget({ providers: [provider('local', localRuns), provider('aws', false)], option, environment }).name;

describe('target selection', () => {
  it('uses --target before EVERGRANT_TARGET and before a running target', () => {
    expect(select('aws', { EVERGRANT_TARGET: 'local' }, { localRuns: true })).toBe('aws');
  });

  it('uses EVERGRANT_TARGET before a running target', () => {
    expect(select(undefined, { EVERGRANT_TARGET: 'aws' }, { localRuns: true })).toBe('aws');
  });

  it('selects the target that runs from the current folder', () => {
    expect(select(undefined, {}, { localRuns: true })).toBe('local');
  });

  it('has no default: it names the option, the variable and the targets', () => {
    expect(() => select(undefined, {})).toThrow(/--target or EVERGRANT_TARGET to one of: local, aws/);
    expect(() => select(undefined, { EVERGRANT_TARGET: '' })).toThrow(/No target is selected/);
  });

  it('rejects a target that does not exist', () => {
    expect(() => select('azure', {})).toThrow(/There is no target "azure"/);
  });
});
