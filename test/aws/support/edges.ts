import { regionalName } from '@evergrant/controller/aws/resource-names';
import { REGIONS, type Region } from '@evergrant/core/regions';
import type { Ground } from './ground';
import { LoadBalancerModel, listening, publicName } from './region-model';
import type { SynthesizedApp } from './synthesized-app';

/** The emulator's records that decide the route of a customer's call. */
export interface Routing {
  /** The name of the web ACL that is associated with a region's load balancer. */
  aclOf(region: Region): Promise<string | undefined>;
  /** The target of the public record. */
  activeRecord(): Promise<string | undefined>;
}

/** The load balancers of both regions, and the public name in front of them. */
export class Edges {
  readonly balancers: Readonly<Record<Region, LoadBalancerModel>>;
  readonly #publicName: string;
  readonly #routing: Routing;

  private constructor(balancers: Record<Region, LoadBalancerModel>, publicName: string, routing: Routing) {
    this.balancers = balancers;
    this.#publicName = publicName;
    this.#routing = routing;
  }

  static async start(ground: Ground, app: SynthesizedApp, routing: Routing): Promise<Edges> {
    const make = async (region: Region): Promise<LoadBalancerModel> => {
      const bodies = { fenceBody: app.fenceBody(region), serveRules: app.serveRules(region) };
      const options = { acl: () => routing.aclOf(region), ...bodies };
      const balancer = new LoadBalancerModel(ground.tls, options);
      ground.say(`${regionalName(ground.publicName, region)}:443`, await balancer.start());
      ground.closing(() => balancer.close());
      return balancer;
    };
    const balancers = { oregon: await make('oregon'), virginia: await make('virginia') };
    const name = publicName(async () => ground.portOf(`${await routing.activeRecord()}:443`));
    ground.say(`${ground.publicName}:443`, await listening(name));
    ground.closing(() => name.close());
    return new Edges(balancers, ground.publicName, routing);
  }

  /** The response that a customer receives at the public address. */
  async publicStatus(): Promise<Record<string, unknown>> {
    const record = await this.#routing.activeRecord();
    const region = REGIONS.find((candidate) => record === regionalName(this.#publicName, candidate));
    if (region === undefined || (await this.#routing.aclOf(region)) !== 'evergrant-serve') return {};
    const port = this.balancers[region].targetPort;
    if (port === null) return {};
    return (await (await fetch(`http://127.0.0.1:${port}/v1/status`)).json()) as Record<string, unknown>;
  }
}
