/** The CDK app: `npx cdk deploy --all`. */
import { App } from 'aws-cdk-lib';
import { config } from '../deployment.config';
import { ConfigurationError, checkedConfig } from '../lib/config/deployment-config';
import { addDeployment } from '../lib/stacks/deployment';

// The CDK's own validation takes twice as long as all the rest: the guard of a deploy asks for it, and so do the tests.
const builtinCloudFormationValidation = process.env.CDK_VALIDATION === 'true';

try {
  addDeployment(new App({ builtinCloudFormationValidation }), checkedConfig(config));
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
