/** The CDK app: `npx cdk deploy --all`. */
import { App } from 'aws-cdk-lib';
import { config } from '../deployment.config';
import { ConfigurationError, checkedConfig } from '../lib/config/deployment-config';
import { addDeployment } from '../lib/stacks/deployment';

try {
  addDeployment(new App(), checkedConfig(config));
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
