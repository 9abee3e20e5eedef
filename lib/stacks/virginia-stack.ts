import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { ControllerAlarms } from '../alarms/controller-alarms';
import type { DeploymentConfig } from '../config/deployment-config';
import { regionContext } from '../config/region-context';
import { FailoverController } from '../controller/failover-controller';
import { OperatorDocuments } from '../runbooks/operator-documents';
import { ReplicatedSecrets } from '../secrets/deployment-secrets';
import { RegionResources } from './region-resources';

/** The standby region: the same resources, running all the time, and the controller that watches the primary region. */
export class VirginiaStack extends Stack {
  readonly #zones: readonly string[];

  constructor(scope: Construct, id: string, { config, ...props }: StackProps & { readonly config: DeploymentConfig }) {
    super(scope, id, props);
    this.#zones = config.network.virginia.availabilityZones;
    const context = regionContext(config, 'virginia');
    const resources = new RegionResources(this, context, new ReplicatedSecrets(this, 'Secrets', context));
    const { network, foundation, topic, keys, edge } = resources;
    const controller = new FailoverController(this, 'Controller', {
      ...{ context, network, foundation, alerts: topic, keys, edge },
    });
    new ControllerAlarms(this, 'ControllerAlarms', { context, topic, lateStarts: controller.lateStarts });
    new OperatorDocuments(this, 'Runbooks', { context, controller: controller.function, key: keys.telemetry });
  }

  /** The configured zones. A lookup in the account would need credentials. */
  override get availabilityZones(): string[] {
    return [...this.#zones];
  }
}
