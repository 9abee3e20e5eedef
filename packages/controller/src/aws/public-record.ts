import {
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  type Route53Client,
} from '@aws-sdk/client-route-53';
import { OperatingError } from '@evergrant/core/operating-error';
import { REGIONS, type Region } from '@evergrant/core/regions';
import type { EdgeView, OutsideView } from '../core/views';
import type { EdgePort } from '../ports';
import { publicStatus } from '../probes/public-status';
import { regionalName } from './resource-names';
import { awsCall } from './sdk';

export interface PublicRecordOptions {
  readonly client: Route53Client;
  readonly hostedZoneId: string;
  readonly publicName: string;
  readonly timeoutMs: number;
}

/**
 * The public address: an alias record for the regional record of the active region, in the same zone. So the controller
 * does not depend on load balancers, and CloudFormation owns the regional records.
 */
export class PublicRecord implements EdgePort {
  readonly #options: PublicRecordOptions;
  /** The change that this process made and that is not on every name server yet. */
  #pendingChange: string | undefined = undefined;

  constructor(options: PublicRecordOptions) {
    this.#options = options;
  }

  async target(): Promise<EdgeView> {
    try {
      if (this.#pendingChange !== undefined && !(await this.#isInSync(this.#pendingChange))) {
        return { kind: 'unreachable', reason: `${this.#pendingChange} is not on every name server yet` };
      }
      this.#pendingChange = undefined;
      return await this.#read();
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  async pointTo(region: Region): Promise<void> {
    const { client, hostedZoneId, publicName } = this.#options;
    const change = new ChangeResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      ChangeBatch: {
        Comment: `evergrant: ${region} is active`,
        Changes: [
          {
            Action: 'UPSERT',
            ResourceRecordSet: {
              Name: publicName,
              Type: 'A',
              AliasTarget: {
                HostedZoneId: hostedZoneId,
                DNSName: regionalName(publicName, region),
                // A health check here would fail back automatically when the old region recovers.
                EvaluateTargetHealth: false,
              },
            },
          },
        ],
      },
    });
    const { ChangeInfo: info } = await awsCall('the public record', client.send(change));
    this.#pendingChange = info?.Status === 'INSYNC' ? undefined : (info?.Id ?? undefined);
  }

  outside(): Promise<OutsideView> {
    const { publicName, timeoutMs } = this.#options;
    return publicStatus(`https://${publicName}`, { timeoutMs });
  }

  async #isInSync(changeId: string): Promise<boolean> {
    const get = new GetChangeCommand({ Id: changeId });
    const { ChangeInfo: info } = await awsCall('the public record', this.#options.client.send(get));
    return info?.Status === 'INSYNC';
  }

  async #read(): Promise<EdgeView> {
    const { client, hostedZoneId, publicName } = this.#options;
    const list = new ListResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      StartRecordName: publicName,
      StartRecordType: 'A',
      MaxItems: 1,
    });
    const { ResourceRecordSets: found = [] } = await awsCall('the public record', client.send(list));
    const [record] = found;
    if (record === undefined || bare(record.Name) !== publicName || record.Type !== 'A') {
      return { kind: 'unreachable', reason: `there is no record ${publicName}` };
    }
    const target = bare(record.AliasTarget?.DNSName);
    const region = REGIONS.find((candidate) => regionalName(publicName, candidate) === target);
    return region === undefined
      ? {
          kind: 'unreachable',
          reason: `${publicName} leads to ${target || 'no alias'}, which is not the name of a region`,
        }
      : { kind: 'points_to', region };
  }
}

/** Without the dot at the end, in lower case. */
function bare(name: string | undefined): string {
  return (name ?? '').replace(/\.$/, '').toLowerCase();
}
