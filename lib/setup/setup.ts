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
  /** Names the function: one a stack. */
  readonly stack: string;
  /** What this stack's setup may do beside reading and introducing itself in the authority table. */
  readonly statements?: readonly PolicyStatement[];
}

/** The function behind a stack's custom resources, and the making of them. */
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
      description: 'Seeds, once, what the failover controller changes afterwards',
      // It tries for three minutes: lambda/setup/retry.ts.
      timeout: Duration.seconds(240),
    });
    acknowledge(handler, {
      CKV_AWS_115: 'It runs when a stack changes; a new account has no concurrency to reserve.',
      CKV_AWS_116: 'CloudFormation waits for its answer and asks again; there is nothing to keep.',
      CKV_AWS_117: 'It calls AWS services only, and must work before there is a network.',
    });
    acknowledge(this.node.findChild('FunctionLog'), {
      CKV_AWS_158: 'It says what was seeded, under names that stand in the template; the service encrypts it.',
    });
    grantJustified(handler, [...introductionStatements(config, awsRegion), ...statements], SETUP_WILDCARDS);
    this.#function = handler;
  }

  /** One piece of setup, see lambda/setup. Its properties must not say who is active: they would change with that. */
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
