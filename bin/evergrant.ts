/** The CDK app: `npx cdk deploy --all`. */
import { App } from 'aws-cdk-lib';
import { config } from '../deployment.config';
import { ConfigurationError, checkedConfig } from '../lib/config/deployment-config';
import { addDeployment } from '../lib/stacks/deployment';

// The CDK's validation takes twice as long as the rest of the synthesis. Only the deploy guard and the tests enable it.
const builtinCloudFormationValidation = process.env.CDK_VALIDATION === 'true';

try {
  addDeployment(new App({ builtinCloudFormationValidation }), checkedConfig(config));
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
