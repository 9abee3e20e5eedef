import type { TargetProvider } from '../target';
import { openAwsTarget } from './open-target';
import { showAwsStatus } from './status';

/** The deployed regions, through the authority table. */
export const awsTarget: TargetProvider = {
  name: 'aws',
  description: 'the deployed regions',
  open: (settings) => ({
    openController: () => openAwsTarget(settings),
    showStatus: (output) => showAwsStatus(() => openAwsTarget(settings), output),
  }),
};
