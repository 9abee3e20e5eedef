import { awsTarget } from '@evergrant/cli/aws/target';
import { runCommand } from '@evergrant/cli/run-command';
import { addLocalCommands } from './local-command';
import { localTarget } from './target';

/** The `evergrant` of this repository: the published command with the local cluster's target and commands. */
void runCommand([{ target: localTarget, addCommands: addLocalCommands }, { target: awsTarget }]);
