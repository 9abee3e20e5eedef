import type { Ports } from '@evergrant/controller/ports';

/** Called before and after every call of every port. An error from the hook ends the cycle at that point. */
export type CallHook = (moment: { readonly call: string; readonly side: 'before' | 'after' }) => Promise<void>;

/** The same ports, with a hook before and after every call. */
export function betweenCalls(ports: Ports, hook: CallHook): Ports {
  const guarded = Object.entries(ports).map(([name, port]) => [
    name,
    name === 'clock' ? port : guard(name, port, hook),
  ]);
  return Object.fromEntries(guarded) as Ports;
}

function guard(name: string, port: object, hook: CallHook): unknown {
  return new Proxy(port, {
    get(target, property, receiver) {
      const method: unknown = Reflect.get(target, property, receiver);
      if (typeof method !== 'function') return method;
      return async (...parameters: unknown[]) => {
        const call = `${name}.${String(property)}`;
        await hook({ call, side: 'before' });
        const result: unknown = await method.apply(target, parameters);
        await hook({ call, side: 'after' });
        return result;
      };
    },
  });
}

export class Killed extends Error {}

/** Ends the controller at its n-th point between two calls, counted from 0. */
export function killedAt(moment: number): CallHook & { reached: boolean; call: string } {
  let passed = 0;
  const hook = async ({ call, side }: { call: string; side: string }): Promise<void> => {
    if (hook.reached) throw new Killed('a killed controller makes no calls');
    if (passed === moment) {
      hook.reached = true;
      hook.call = `${side} ${call}`;
      throw new Killed(hook.call);
    }
    passed += 1;
  };
  hook.reached = false;
  hook.call = '';
  return hook;
}
