import type { DeploymentConfig } from './lib/config/deployment-config';

/** Your deployment: every setting that differs between deployments. `npx cdk synth` lists all validation errors. */
export const config: DeploymentConfig = {
  // An account holds one deployment. Its name never changes.
  deployment: 'evergrant',
  account: '111122223333',
  domain: {
    publicName: 'licenses.example.com',
    zoneName: 'example.com',
    hostedZoneId: 'Z0123456789EXAMPLE',
  },
  network: {
    oregon: { cidr: '10.10.0.0/16', availabilityZones: ['us-west-2a', 'us-west-2b', 'us-west-2c'], natGateways: 3 },
    virginia: { cidr: '10.20.0.0/16', availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'], natGateways: 3 },
  },
  database: {
    instanceClass: 'db.m7g.large',
    storageGiB: 100,
    storageMaxGiB: 500,
    multiAz: { oregon: true, virginia: true },
    backupRetentionDays: 14,
  },
  service: { image: 'build', cpu: 1024, memoryMiB: 2048, tasksMin: 3, tasksMax: 12 },
  licenseTrust: {
    // An example without a private key. Replace it with the public key of your root (npx evergrant license keygen).
    roots: [
      {
        kty: 'OKP',
        crv: 'Ed25519',
        x: 'JShZiAVjRwwp6fYrG-AEA_aqS07_De5wDanIozvpLeM',
        kid: 'PfCPrNYwS-Etqn62PND7LmYz2srUpt8zzM7G327bRUk',
        role: 'root',
      },
    ],
  },
  rateLimitPerFiveMinutes: 20_000,
  alerts: { emails: ['oncall@example.com'] },
  runbookUrl: 'https://wiki.example.com/evergrant/runbook',
  failover: {},
  thresholds: {
    replicaLagSeconds: 60,
    slotLagMiB: 4_096,
    responseSeconds: 0.5,
    failureRatePercent: 1,
    denialsPerFiveMinutes: 50,
    unarmedSeconds: 14_400,
  },
  logRetentionDays: 90,
};
