import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, type NodejsFunctionProps, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { DeploymentConfig } from '../config/deployment-config';
import { managedPolicyFinding } from '../config/justified-wildcards';

const ROOT = join(__dirname, '../..');

export interface BundledFunctionProps extends Omit<NodejsFunctionProps, 'entry' | 'runtime' | 'bundling' | 'logGroup'> {
  /** Path of the handler's source from the project folder. */
  readonly source: string;
  readonly functionName: string;
  readonly config: DeploymentConfig;
  /** @default the service's own key */
  readonly logKey?: IKey;
}

/** A Lambda function of this project, bundled without Docker by the esbuild version of the lock file. */
export function bundledFunction(
  scope: Construct,
  id: string,
  { source, config, logKey, functionName, ...props }: BundledFunctionProps,
): NodejsFunction {
  const logGroup = new LogGroup(scope, `${id}Log`, {
    logGroupName: `/aws/lambda/${functionName}`,
    retention: config.logRetentionDays,
    ...(logKey === undefined ? {} : { encryptionKey: logKey }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const bundled = new NodejsFunction(scope, id, {
    timeout: Duration.seconds(30),
    memorySize: 512,
    ...props,
    functionName,
    logGroup,
    entry: join(ROOT, source),
    projectRoot: ROOT,
    depsLockFilePath: join(ROOT, 'package-lock.json'),
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    tracing: Tracing.ACTIVE,
    bundling: {
      forceDockerBundling: false,
      minify: true,
      keepNames: true,
      sourceMap: false,
      metafile: false,
      target: 'node24',
      format: OutputFormat.CJS,
      // pg tries to load pg-native first. The bundle contains the SDK, so that the tested version runs.
      externalModules: ['pg-native', 'cloudflare:sockets'],
      mainFields: ['module', 'main'],
    },
  });
  // The library adds an explicit dependency although a reference implies it.
  acknowledge(bundled, { W3005: 'The library adds the redundant dependency.' });
  const role = bundled.role;
  if (role === undefined) throw new Error('the function has no role');
  acknowledge(role, {
    [managedPolicyFinding('service-role/AWSLambdaBasicExecutionRole')]: 'The AWS managed policy for writing logs.',
    [managedPolicyFinding('service-role/AWSLambdaVPCAccessExecutionRole')]:
      'The AWS managed policy for functions in a VPC.',
    'AwsSolutions-IAM5[Resource::*]': `The actions of X-Ray and of network interfaces have no resource types (${Stack.of(scope).stackName}).`,
  });
  return bundled;
}
