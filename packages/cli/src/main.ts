import { awsTarget } from './aws/target';
import { runCommand } from './run-command';

void runCommand([{ target: awsTarget }]);
