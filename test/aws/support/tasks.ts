import { type ChildProcess, execFile } from 'node:child_process';
import { join } from 'node:path';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import type { Region } from '@evergrant/core/regions';
import { startServer } from './region-model';

interface TaskDefinition {
  readonly taskDefinitionArn: string;
  readonly family: string;
  readonly taskRoleArn: string;
  readonly executionRoleArn: string;
  readonly containerDefinitions: readonly {
    readonly name: string;
    readonly command?: readonly string[];
    readonly environment?: readonly { readonly name: string; readonly value: string }[];
    readonly secrets?: readonly { readonly name: string; readonly valueFrom: string }[];
  }[];
}

export interface TasksOptions {
  /** Address at which the emulator serves the data of a task's agent. */
  readonly control: string;
  /** Environment of every program. */
  readonly environment: Readonly<Record<string, string>>;
  readonly own: Readonly<Record<string, string>>;
}

/**
 * The tasks of the deployed definitions, as Fargate's agent starts them: secrets are fetched with the rights of the
 * execution role, and the program has the credentials of the task's role.
 */
export class Tasks {
  readonly #options: TasksOptions;
  readonly #servers = new Map<Region, ChildProcess>();

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Resolves to the port on which the server listens. */
  async startServer(region: Region): Promise<number> {
    this.killServer(region);
    // ECS starts the server after the migration is complete, whatever its result.
    await this.migrate(region, 'evergrant-server').catch(() => undefined);
    const { environment } = await this.#told(region, 'evergrant-server', 'server');
    const { child, port } = startServer(environment);
    this.#servers.set(region, child);
    return port;
  }

  killServer(region: Region): void {
    this.#servers.get(region)?.kill('SIGKILL');
  }

  /** Runs the migration of a task to its end. Resolves to its output. */
  async migrate(region: Region, family = 'evergrant-migration'): Promise<string> {
    const { environment, command } = await this.#told(region, family, 'migration');
    const program = join(__dirname, '../../..', command[0] ?? '');
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [program], { env: { ...environment } }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stdout + stderr)),
      );
    });
  }

  close(): void {
    for (const child of this.#servers.values()) child.kill('SIGKILL');
  }

  async #told(region: Region, family: string, name: string) {
    const { tasks } = (await (await fetch(`${this.#options.control}/tasks`)).json()) as { tasks: TaskDefinition[] };
    const place = `:${AWS_REGION_OF[region]}:`;
    const task = tasks.findLast((each) => each.family === family && each.taskDefinitionArn.includes(place));
    if (task === undefined) throw new Error(`${region} has no task definition ${family}`);
    const container = task.containerDefinitions.find((each) => each.name === name);
    const secrets = await this.#secrets(region, task, container?.secrets);
    const role = encodeURIComponent(task.taskRoleArn);
    return {
      command: container?.command ?? [],
      environment: {
        ...this.#options.environment,
        ...Object.fromEntries((container?.environment ?? []).map(({ name, value }) => [name, value])),
        ...secrets,
        AWS_REGION: AWS_REGION_OF[region],
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${this.#options.control}/credentials?role=${role}`,
        ...this.#options.own,
      },
    };
  }

  /** `valueFrom` is the secret's ARN, optionally with one of its members. Without a member it is the whole secret. */
  async #secrets(
    region: Region,
    task: TaskDefinition,
    secrets: TaskDefinition['containerDefinitions'][number]['secrets'] = [],
  ): Promise<Record<string, string>> {
    const client = new SecretsManagerClient({
      region: AWS_REGION_OF[region],
      endpoint: this.#options.environment.AWS_ENDPOINT_URL ?? '',
      credentials: async () => {
        const role = encodeURIComponent(task.executionRoleArn);
        const answer = await fetch(`${this.#options.control}/credentials?role=${role}`);
        const { AccessKeyId, SecretAccessKey, Token } = (await answer.json()) as Record<string, string>;
        return { accessKeyId: AccessKeyId ?? '', secretAccessKey: SecretAccessKey ?? '', sessionToken: Token ?? '' };
      },
    });
    const found: Record<string, string> = {};
    for (const { name, valueFrom } of secrets) {
      const parts = valueFrom.split(':');
      const member = parts[7] ?? '';
      const get = new GetSecretValueCommand({ SecretId: parts.slice(0, 7).join(':') });
      const { SecretString = '' } = await client.send(get);
      found[name] =
        member === '' ? SecretString : String((JSON.parse(SecretString) as Record<string, unknown>)[member]);
    }
    return found;
  }
}
