import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { DatabaseView } from '@evergrant/controller/core/database-view';
import { down, up } from '@evergrant/controller/core/facts';
import type { Operation } from '@evergrant/controller/core/operations';
import type { Policy } from '@evergrant/controller/core/policy';
import type { Ports } from '@evergrant/controller/ports';
import type { AcknowledgementPolicy } from '@evergrant/server/epochs/replication-tracker';
import { AUTHORITY_POLICY, type AuthorityPolicy } from '@evergrant/server/epochs/role-monitor';
import type { DisabledRules } from '../mutations';
import type { SimulatedAuthorityStore } from './authority-store';

/** S5 without its last check: every committed change is acknowledged. */
const ACKNOWLEDGE_ALWAYS: AuthorityPolicy = { mayAcknowledge: () => true };

export function authorityPolicy(disabled: DisabledRules): AuthorityPolicy {
  return disabled.has('S5-acknowledge') ? ACKNOWLEDGE_ALWAYS : AUTHORITY_POLICY;
}

export function acknowledgementPolicy(disabled: DisabledRules): AcknowledgementPolicy {
  return {
    mustReach: ({ grants }) => !disabled.has(grants?.borrowed ? 'S2-borrow' : 'S2'),
    needsStreaming: !disabled.has('S2'),
  };
}

/** Ports that report a disabled step as done, and a disabled veto as no objection. */
export function portsWithMutations(
  ports: Ports,
  disabled: DisabledRules,
  authorityStore: SimulatedAuthorityStore,
): Ports {
  let mutated = ports;
  if (disabled.has('latch')) mutated = disableLatch(mutated);
  if (disabled.has('open')) mutated = disableOpening(mutated);
  if (disabled.has('fence')) mutated = disableFence(mutated, authorityStore);
  if (disabled.has('drain')) mutated = disableDrain(mutated);
  if (disabled.has('promote') || disabled.has('verify'))
    mutated = disableWriteVerification(mutated, disabled, authorityStore);
  if (disabled.has('switch')) mutated = disableSwitch(mutated, authorityStore);
  if (disabled.has('complete')) mutated = disableDisarming(mutated);
  return disableVetoes(mutated, disabled, authorityStore);
}

export function policyWithMutations(policy: Policy, disabled: DisabledRules): Policy {
  return {
    ...policy,
    ...(disabled.has('confirm-window') ? { samplesToConfirm: 1 } : {}),
    ...(disabled.has('act-in-time') ? { actWithinMs: Number.MAX_SAFE_INTEGER } : {}),
  };
}

/** Takes the epoch only when it is opened. */
function disableLatch(ports: Ports): Ports {
  let delayed: { fromEpoch: number; region: Operation['toRegion']; operationId: string } | undefined;
  const { authority } = ports;
  return {
    ...ports,
    authority: {
      read: async () => {
        const view = await authority.read();
        if (delayed === undefined || view.epoch !== delayed.fromEpoch) return view;
        const { region, operationId } = delayed;
        return { ...view, epoch: view.epoch + 1, region, operationId, opensAtMs: undefined };
      },
      latch: async (latch) => {
        delayed = latch;
        return 'written';
      },
      open: async (opening) => {
        if (delayed) await authority.latch(delayed);
        return authority.open(opening);
      },
    },
  };
}

function disableOpening(ports: Ports): Ports {
  const { authority } = ports;
  const asOpen = (view: AuthorityView): AuthorityView => ({ ...view, opensAtMs: view.opensAtMs ?? view.latchedAtMs });
  return {
    ...ports,
    authority: { ...authority, read: async () => asOpen(await authority.read()), open: async () => 'written' },
  };
}

function disableFence(ports: Ports, authorityStore: SimulatedAuthorityStore): Ports {
  const { routers } = ports;
  return {
    ...ports,
    routers: {
      ...routers,
      acl: async (region) => {
        const acl = await routers.acl(region);
        const { region: active } = authorityStore.row;
        return acl.kind === 'serve' && region !== active ? { kind: 'fence', activeRegion: active } : acl;
      },
      fence: async () => undefined,
    },
  };
}

function operationOf(authorityStore: SimulatedAuthorityStore): Operation | undefined {
  return authorityStore.control.operation;
}

/** Replaces the drain phase by the promotion: the source is not closed, and replay is not awaited. */
function disableDrain(ports: Ports): Ports {
  const { databases, control } = ports;
  return {
    ...ports,
    databases: { ...databases, closeEpoch: async () => undefined },
    control: {
      ...control,
      write: ({ record, ...write }) => {
        const { operation } = record;
        const skipped =
          operation?.phase === 'drain' ? { ...operation, phase: 'promote' as const, stuck: undefined } : operation;
        return control.write({ ...write, record: { ...record, operation: skipped } });
      },
    },
  };
}

function disableWriteVerification(
  ports: Ports,
  disabled: DisabledRules,
  authorityStore: SimulatedAuthorityStore,
): Ports {
  const { databases } = ports;
  const asPrimary = (view: DatabaseView): DatabaseView =>
    view.kind === 'follower' && operationOf(authorityStore)?.phase === 'promote'
      ? { kind: 'primary', serverNowMs: view.serverNowMs, flushedLsn: view.replayedLsn ?? '0/0', epoch: view.epoch }
      : view;
  return {
    ...ports,
    databases: {
      ...databases,
      ...(disabled.has('promote')
        ? { promote: async () => undefined, view: async (region) => asPrimary(await databases.view(region)) }
        : {}),
      verifyWrite: async () => up('rule disabled'),
    },
  };
}

function disableSwitch(ports: Ports, authorityStore: SimulatedAuthorityStore): Ports {
  const { edge, routers } = ports;
  const isSwitching = (): boolean => operationOf(authorityStore)?.phase === 'switch';
  return {
    ...ports,
    routers: {
      ...routers,
      acl: async (region) => (isSwitching() ? { kind: 'serve' } : routers.acl(region)),
    },
    edge: {
      ...edge,
      target: async () => {
        const operation = operationOf(authorityStore);
        return operation && isSwitching() ? { kind: 'points_to', region: operation.toRegion } : edge.target();
      },
      outside: async () => {
        const operation = operationOf(authorityStore);
        return operation && isSwitching()
          ? { kind: 'granting', region: operation.toRegion, epoch: operation.toEpoch }
          : edge.outside();
      },
    },
  };
}

function disableDisarming(ports: Ports): Ports {
  const { control } = ports;
  return {
    ...ports,
    control: {
      ...control,
      write: ({ record, ...write }) => {
        const { automation } = record;
        const kept = automation.state === 'disarmed' ? { ...automation, state: 'armed' as const } : automation;
        return control.write({ ...write, record: { ...record, automation: kept } });
      },
    },
  };
}

function disableVetoes(ports: Ports, disabled: DisabledRules, authorityStore: SimulatedAuthorityStore): Ports {
  const { authority, databases, witness, apps } = ports;
  const isIdle = (): boolean => operationOf(authorityStore) === undefined;
  return {
    ...ports,
    witness: disabled.has('witness-veto') ? { view: async () => down('rule disabled') } : witness,
    authority: disabled.has('renewal-veto')
      ? {
          ...authority,
          read: async () => {
            const view = await authority.read();
            return isIdle() ? { ...view, renewedAtMs: undefined } : view;
          },
        }
      : authority,
    databases: {
      ...databases,
      view: async (region) => {
        const view = await databases.view(region);
        if (view.kind !== 'follower' || !isIdle()) return view;
        const silenced = disabled.has('follower-veto') ? { receiver: undefined, receivedLsn: undefined } : {};
        return { ...view, ...silenced, ...(disabled.has('gate') ? { replayPaused: false } : {}) };
      },
    },
    apps: {
      probe: async (region) => {
        const fact = await apps.probe(region);
        return disabled.has('gate') && region === 'virginia' ? up('rule disabled') : fact;
      },
    },
  };
}
