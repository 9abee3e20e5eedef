import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { config } from '../../../deployment.config';
import { checkedConfig, type DeploymentConfig } from '../../../lib/config/deployment-config';
import { addDeployment, STACKS } from '../../../lib/stacks/deployment';

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Synthesized {
  readonly templates: Readonly<Record<keyof typeof STACKS, Template>>;
  /** Findings of the rule packs without an acknowledgement. */
  readonly findings: readonly unknown[];
  readonly dependencies: Readonly<Record<string, readonly string[]>>;
}

export interface Template {
  readonly text: string;
  readonly resources: Readonly<Record<string, Resource>>;
}

/** Synthesizes the real app without bundling, because the templates do not depend on the code of the functions. */
export function synthesize(changed: Partial<DeploymentConfig> = {}): Synthesized {
  const outdir = mkdtempSync(join(tmpdir(), 'evergrant-synth-'));
  try {
    const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] } });
    addDeployment(app, checkedConfig({ ...config, ...changed }));
    const assembly = app.synth();
    const templateOf = (name: string): Template => {
      const text = readFileSync(join(outdir, `${name}.template.json`), 'utf8');
      return { text, resources: (JSON.parse(text) as { Resources: Record<string, Resource> }).Resources };
    };
    const templates = Object.fromEntries(Object.entries(STACKS).map(([key, name]) => [key, templateOf(name)]));
    const dependencies = Object.fromEntries(
      assembly.stacks.map(({ stackName, dependencies: on }) => [
        stackName,
        on.flatMap((artifact) => ('stackName' in artifact ? [String(artifact.stackName)] : [])),
      ]),
    );
    return { templates: templates as Synthesized['templates'], findings: findingsIn(outdir), dependencies };
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

function findingsIn(outdir: string): readonly unknown[] {
  const report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')) as {
    pluginReports?: { violations?: { severity?: string; ruleName?: string; description?: string }[] }[];
  };
  return (report.pluginReports ?? [])
    .flatMap(({ violations = [] }) => violations)
    .map(({ severity, ruleName, description }) => ({ severity, ruleName, description }));
}

export function ofType({ resources }: Template, type: string): [string, Resource][] {
  return Object.entries(resources).filter(([, resource]) => resource.Type === type);
}

/** The build context of the server's image: the staged folder of the asset. */
export function withImageContext(use: (folder: string) => void): void {
  const outdir = mkdtempSync(join(tmpdir(), 'evergrant-synth-'));
  try {
    const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] } });
    addDeployment(app, checkedConfig(config));
    app.synth();
    const asset = readdirSync(outdir).find((name) => existsSync(join(outdir, name, 'packages/server/Dockerfile')));
    if (asset === undefined) throw new Error('no asset has the Dockerfile');
    use(join(outdir, asset));
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
