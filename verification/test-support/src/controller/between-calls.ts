import type { Ports } from '@evergrant/controller/ports';

/** Called before and after every call of every port; what it throws ends the cycle there. */
export type Standing = (moment: { readonly call: string; readonly side: 'before' | 'after' }) => Promise<void>;

/** The same ports, with a test standing at every door. */
export function betweenCalls(ports: Ports, standing: Standing): Ports {
  const guarded = Object.entries(ports).map(([name, port]) => [
    name,
    name === 'clock' ? port : guard(name, port, standing),
  ]);
  return Object.fromEntries(guarded) as Ports;
}

function guard(name: string, port: object, standing: Standing): unknown {
  return new Proxy(port, {
    get(target, property, receiver) {
      const method: unknown = Reflect.get(target, property, receiver);
      if (typeof method !== 'function') return method;
      return async (...parameters: unknown[]) => {
        const call = `${name}.${String(property)}`;
        await standing({ call, side: 'before' });
        const result: unknown = await method.apply(target, parameters);
        await standing({ call, side: 'after' });
        return result;
      };
    },
  });
}

export class Killed extends Error {}

/** Ends the controller at its n-th moment between two calls, counted from 0. */
export function killedAt(moment: number): Standing & { reached: boolean; call: string } {
  let passed = 0;
  const standing = async ({ call, side }: { call: string; side: string }): Promise<void> => {
    if (standing.reached) throw new Killed('dead controllers call nobody');
    if (passed === moment) {
      standing.reached = true;
      standing.call = `${side} ${call}`;
      throw new Killed(standing.call);
    }
    passed += 1;
  };
  standing.reached = false;
  standing.call = '';
  return standing;
}
