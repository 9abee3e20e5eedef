import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { OperatingError } from '@evergrant/core/operating-error';
import type { DatabaseLogin } from '../probes/sql';
import { awsCall } from './sdk';

const CACHE_MS = 300_000;

/** The controller's login from its secret in its own region; cached for five minutes, and longer if it cannot be read. */
export class ControllerLogin {
  readonly #client: SecretsManagerClient;
  readonly #secretId: string;
  readonly #nowMs: () => number;
  #cached: { readonly login: DatabaseLogin; readonly untilMs: number } | undefined = undefined;

  constructor(client: SecretsManagerClient, { secretId, nowMs }: { secretId: string; nowMs: () => number }) {
    this.#client = client;
    this.#secretId = secretId;
    this.#nowMs = nowMs;
  }

  readonly get = async (): Promise<DatabaseLogin> => {
    const cached = this.#cached;
    if (cached !== undefined && this.#nowMs() < cached.untilMs) return cached.login;
    try {
      const login = await this.#fetch();
      this.#cached = { login, untilMs: this.#nowMs() + CACHE_MS };
      return login;
    } catch (failure) {
      if (cached === undefined) throw failure;
      return cached.login;
    }
  };

  async #fetch(): Promise<DatabaseLogin> {
    const get = new GetSecretValueCommand({ SecretId: this.#secretId });
    const { SecretString: secret } = await awsCall("the controller's secret", this.#client.send(get));
    const { dbname, username, password } = parsed(secret);
    if (dbname === undefined || username === undefined || password === undefined) {
      // The message must not contain the secret.
      const message = `the secret ${this.#secretId} lacks dbname, username or password`;
      throw new OperatingError({ code: 'secret_incomplete', message, retryable: true });
    }
    return { database: dbname, user: username, password };
  }
}

function parsed(secret: string | undefined): { dbname?: string; username?: string; password?: string } {
  try {
    return JSON.parse(secret ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}
