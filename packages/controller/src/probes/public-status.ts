import { REGIONS } from '@evergrant/core/regions';
import type { OutsideView } from '../core/views';
import { CallFailure, call } from './http-call';

/** The state at a public address, by `GET /v1/status`. Only a call without any answer is `unreachable`. */
export async function publicStatus(address: string, { timeoutMs }: { timeoutMs: number }): Promise<OutsideView> {
  try {
    const { status, json } = await call({ method: 'GET', url: `${address}/v1/status`, timeoutMs });
    const region = REGIONS.find((candidate) => candidate === json?.region);
    const epoch = json?.epoch;
    if (status === 200 && json?.granting === true && region !== undefined && typeof epoch === 'number') {
      return { kind: 'granting', region, epoch };
    }
    const reason = json?.reason ?? json?.code ?? 'no reason given';
    return { kind: 'not_granting', reason: `the public address answers ${status}: ${String(reason)}` };
  } catch (failure) {
    if (!(failure instanceof CallFailure)) throw failure;
    return { kind: 'unreachable', reason: `the public address: ${failure.message}` };
  }
}
