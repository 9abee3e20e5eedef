import type { Target, TargetProvider } from '@evergrant/cli/target';
import { openLocalTarget } from './open-target';
import { showLocalStatus } from './status';
import { isWorldRunning, WorldClient } from './world-client';

/** The local cluster that belongs to this project's folder, or to `EVERGRANT_HOME`. */
export const localTarget: TargetProvider = {
  name: 'local',
  description: 'the two regions on this machine, selected automatically while they run',
  detect: () => isWorldRunning(),
  open: (): Target => ({
    openController: openLocalTarget,
    showStatus: showLocalStatus,
    serverAccess: () => {
      const { file } = WorldClient.open();
      return { url: file.edge, token: file.tokens.admin };
    },
  }),
};
