import { CustomResource, Duration } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { DeploymentConfig } from '../config/deployment-config';
import { grantJustified } from '../config/justified-wildcards';
import { bundledFunction } from './bundled-function';
import { introductionStatements, SETUP_WILDCARDS } from './setup-policy';

export interface SetupProps {
  readonly config: DeploymentConfig;
  readonly awsRegion: string;
  /** Part of the function's name. Each stack has one setup function. */
  readonly stack: string;
  /** Permissions in addition to those of every setup function. */
  readonly statements?: readonly PolicyStatement[];
}

/** The setup function of a stack and the custom resources that it handles. */
export class Setup extends Construct {
  readonly #function: IFunction;
  readonly #props: SetupProps;

  constructor(scope: Construct, id: string, props: SetupProps) {
    super(scope, id);
    this.#props = props;
    const { config, awsRegion, stack, statements = [] } = props;
    const handler = bundledFunction(this, 'Function', {
      source: 'lambda/setup/handler.ts',
      functionName: `${config.deployment}-setup-${stack}`,
      config,
      description: 'Creates, once, the records that the failover controller changes afterwards',
      // lambda/setup/retry.ts retries for three minutes.
      timeout: Duration.seconds(240),
    });
    acknowledge(handler, {
      CKV_AWS_115: 'The function runs only when a stack changes, and a new account has no concurrency to reserve.',
      CKV_AWS_116: 'CloudFormation waits for the response and retries.',
      CKV_AWS_117: 'The function calls AWS services only and runs before the VPC exists.',
    });
    acknowledge(this.node.findChild('FunctionLog'), {
      CKV_AWS_158: 'The log contains only names that the template contains too. The service encrypts it.',
    });
    grantJustified(handler, [...introductionStatements(config, awsRegion), ...statements], SETUP_WILDCARDS);
    this.#function = handler;
  }

  /** One custom resource, see lambda/setup. Its properties must not depend on the active region, which changes at run time. */
  resource(id: string, kind: string, properties: Readonly<Record<string, string>>): CustomResource {
    const { config, awsRegion } = this.#props;
    return new CustomResource(this, id, {
      serviceToken: this.#function.functionArn,
      resourceType: `Custom::Evergrant${id}`,
      serviceTimeout: Duration.minutes(5),
      properties: { kind, awsRegion, table: `${config.deployment}-authority`, ...properties },
    });
  }
}
