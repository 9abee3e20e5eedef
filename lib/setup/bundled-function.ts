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
  /** Path of the handler's source from the project's folder. */
  readonly source: string;
  readonly functionName: string;
  readonly config: DeploymentConfig;
  /** @default the service's own key */
  readonly logKey?: IKey;
}

/** A function of this project: bundled by the esbuild that the lock file names, without Docker, and small. */
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
      // pg tries its native twin first; the SDK comes with the bundle, so that it is the version that was tested.
      externalModules: ['pg-native', 'cloudflare:sockets'],
      mainFields: ['module', 'main'],
    },
  });
  // The library writes down a dependency that a reference makes already.
  acknowledge(bundled, { W3005: 'the library' });
  const role = bundled.role;
  if (role === undefined) throw new Error('a function without a role');
  acknowledge(role, {
    [managedPolicyFinding('service-role/AWSLambdaBasicExecutionRole')]: 'What AWS keeps for writing logs.',
    [managedPolicyFinding('service-role/AWSLambdaVPCAccessExecutionRole')]: 'What AWS keeps for standing in a network.',
    'AwsSolutions-IAM5[Resource::*]': `X-Ray's and the network interfaces' actions know no resources (${Stack.of(scope).stackName}).`,
  });
  return bundled;
}
