import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { DatabaseView } from '@evergrant/controller/core/database-view';
import { down, up } from '@evergrant/controller/core/facts';
import type { Operation } from '@evergrant/controller/core/operations';
import type { Policy } from '@evergrant/controller/core/policy';
import type { Ports } from '@evergrant/controller/ports';
import type { Without } from '../mutations';
import type { Ohio } from './authority-store';

/** What the ports say when a step of the failover order, or a veto, is left out: that it was done, or has no objection. */
export function portsWithout(ports: Ports, without: Without, ohio: Ohio): Ports {
  let left = ports;
  if (without.has('latch')) left = withoutLatch(left);
  if (without.has('open')) left = withoutOpening(left);
  if (without.has('fence')) left = withoutFence(left, ohio);
  if (without.has('drain')) left = withoutDrain(left);
  if (without.has('promote') || without.has('verify')) left = withoutProofOfWriting(left, without, ohio);
  if (without.has('switch')) left = withoutSwitch(left, ohio);
  if (without.has('settle')) left = withoutDisarming(left);
  return withoutVetoes(left, without, ohio);
}

export function policyWithout(policy: Policy, without: Without): Policy {
  return {
    ...policy,
    ...(without.has('confirm-window') ? { samplesToConfirm: 1 } : {}),
    ...(without.has('act-in-time') ? { actWithinMs: Number.MAX_SAFE_INTEGER } : {}),
  };
}

/** The epoch is taken only when it is to be opened. */
function withoutLatch(ports: Ports): Ports {
  let pretended: { fromEpoch: number; region: Operation['toRegion']; operationId: string } | undefined;
  const { authority } = ports;
  return {
    ...ports,
    authority: {
      read: async () => {
        const view = await authority.read();
        if (pretended === undefined || view.epoch !== pretended.fromEpoch) return view;
        const { region, operationId } = pretended;
        return { ...view, epoch: view.epoch + 1, region, operationId, opensAtMs: null };
      },
      latch: async (latch) => {
        pretended = latch;
        return 'written';
      },
      open: async (opening) => {
        if (pretended) await authority.latch(pretended);
        return authority.open(opening);
      },
    },
  };
}

function withoutOpening(ports: Ports): Ports {
  const { authority } = ports;
  const asOpen = (view: AuthorityView): AuthorityView => ({ ...view, opensAtMs: view.opensAtMs ?? view.latchedAtMs });
  return {
    ...ports,
    authority: { ...authority, read: async () => asOpen(await authority.read()), open: async () => 'written' },
  };
}

function withoutFence(ports: Ports, ohio: Ohio): Ports {
  const { routers } = ports;
  return {
    ...ports,
    routers: {
      ...routers,
      acl: async (region) => {
        const acl = await routers.acl(region);
        const { region: active } = ohio.row;
        return acl.kind === 'serve' && region !== active ? { kind: 'fence', activeRegion: active } : acl;
      },
      fence: async () => undefined,
    },
  };
}

function operationOf(ohio: Ohio): Operation | null {
  return ohio.control.operation;
}

/** Whoever would drain promotes at once: neither is the origin closed, nor is anything waited for. */
function withoutDrain(ports: Ports): Ports {
  const { databases, control } = ports;
  return {
    ...ports,
    databases: { ...databases, closeEpoch: async () => undefined },
    control: {
      ...control,
      write: ({ record, ...write }) => {
        const { operation } = record;
        const later =
          operation?.phase === 'drain' ? { ...operation, phase: 'promote' as const, stuck: null } : operation;
        return control.write({ ...write, record: { ...record, operation: later } });
      },
    },
  };
}

function withoutProofOfWriting(ports: Ports, without: Without, ohio: Ohio): Ports {
  const { databases } = ports;
  const asPrimary = (view: DatabaseView): DatabaseView =>
    view.kind === 'follower' && operationOf(ohio)?.phase === 'promote'
      ? { kind: 'primary', serverNowMs: view.serverNowMs, flushedLsn: view.replayedLsn ?? '0/0', epoch: view.epoch }
      : view;
  return {
    ...ports,
    databases: {
      ...databases,
      ...(without.has('promote')
        ? { promote: async () => undefined, view: async (region) => asPrimary(await databases.view(region)) }
        : {}),
      verifyWrite: async () => up('not asked'),
    },
  };
}

function withoutSwitch(ports: Ports, ohio: Ohio): Ports {
  const { edge, routers } = ports;
  const isSwitching = (): boolean => operationOf(ohio)?.phase === 'switch';
  return {
    ...ports,
    routers: {
      ...routers,
      acl: async (region) => (isSwitching() ? { kind: 'serve' } : routers.acl(region)),
    },
    edge: {
      ...edge,
      target: async () => {
        const operation = operationOf(ohio);
        return operation && isSwitching() ? { kind: 'points_to', region: operation.toRegion } : edge.target();
      },
      outside: async () => {
        const operation = operationOf(ohio);
        return operation && isSwitching()
          ? { kind: 'granting', region: operation.toRegion, epoch: operation.toEpoch }
          : edge.outside();
      },
    },
  };
}

function withoutDisarming(ports: Ports): Ports {
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

function withoutVetoes(ports: Ports, without: Without, ohio: Ohio): Ports {
  const { authority, databases, witness, apps } = ports;
  const isWatching = (): boolean => operationOf(ohio) === null;
  return {
    ...ports,
    witness: without.has('witness-veto') ? { view: async () => down('not asked') } : witness,
    authority: without.has('renewal-veto')
      ? {
          ...authority,
          read: async () => {
            const view = await authority.read();
            return isWatching() ? { ...view, renewedAtMs: null } : view;
          },
        }
      : authority,
    databases: {
      ...databases,
      view: async (region) => {
        const view = await databases.view(region);
        if (view.kind !== 'follower' || !isWatching()) return view;
        const deaf = without.has('follower-veto') ? { receiver: null, receivedLsn: null } : {};
        return { ...view, ...deaf, ...(without.has('gate') ? { replayPaused: false } : {}) };
      },
    },
    apps: {
      probe: async (region) => {
        const fact = await apps.probe(region);
        return without.has('gate') && region === 'virginia' ? up('not asked') : fact;
      },
    },
  };
}
