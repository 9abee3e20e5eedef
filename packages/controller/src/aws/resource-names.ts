import type { Region } from '@evergrant/core/regions';

/**
 * The names that the templates, the controller, the license servers and the operator's command share. They are fixed,
 * so that a region's template can contain ARNs of the other region. A template also stays true when a database is
 * replaced under its name.
 */
export const AWS_REGION_OF: Readonly<Record<Region, string>> = { oregon: 'us-west-2', virginia: 'us-east-1' };

/** The third region of the authority table. It stores no replica and only counts for the quorum. */
export const WITNESS_AWS_REGION = 'us-east-2';

export interface DeploymentNames {
  readonly authorityTable: string;
  readonly databases: Readonly<Record<Region, string>>;
  readonly databaseSubnets: string;
  readonly databaseParameters: string;
  /** IAM roles are global, so the role of each region has a different name. */
  readonly databaseMonitoringRoles: Readonly<Record<Region, string>>;
  readonly databaseKeyAlias: string;
  readonly loadBalancer: string;
  readonly serveAcl: string;
  readonly fenceAcl: string;
  readonly controller: string;
  readonly secrets: {
    readonly owner: string;
    readonly server: string;
    readonly controller: string;
    readonly administrator: string;
  };
}

/** @param deployment lower-case letters, digits and hyphens, for example `evergrant` */
export function deploymentNames(deployment: string): DeploymentNames {
  return {
    authorityTable: `${deployment}-authority`,
    databases: { oregon: `${deployment}-oregon`, virginia: `${deployment}-virginia` },
    databaseSubnets: `${deployment}-database`,
    databaseParameters: `${deployment}-postgres18`,
    databaseMonitoringRoles: {
      oregon: `${deployment}-database-monitoring-oregon`,
      virginia: `${deployment}-database-monitoring-virginia`,
    },
    databaseKeyAlias: `alias/${deployment}-database`,
    loadBalancer: deployment,
    serveAcl: `${deployment}-serve`,
    fenceAcl: `${deployment}-fence`,
    controller: `${deployment}-failover`,
    secrets: {
      owner: `${deployment}/database-owner`,
      server: `${deployment}/server`,
      controller: `${deployment}/controller`,
      administrator: `${deployment}/administrator`,
    },
  };
}

/** The address of one region, independent of the active region: `oregon.licenses.example.com`. */
export function regionalName(publicName: string, region: Region): string {
  return `${region}.${publicName}`;
}
