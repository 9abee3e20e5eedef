import type { DrillScenario } from '../drill';
import { appDown } from './app-down';
import { bothDirections } from './both-directions';
import { cloudLicense } from './cloud-license';
import { controllerDies } from './controller-dies';
import { databaseDown } from './database-down';
import { failback } from './failback';
import { flapping } from './flapping';
import { guidLicense } from './guid-license';
import { oneAppDown } from './one-app-down';
import { oregonReturns } from './oregon-returns';
import { queueFailover } from './queue-failover';
import { redundantLicense } from './redundant-license';
import { regionHang } from './region-hang';
import { regionLoss } from './region-loss';
import { splitBrain } from './split-brain';
import { standbyNotReady } from './standby-not-ready';
import { twoControllers } from './two-controllers';
import { virginiaDown } from './virginia-down';
import { witnessDisagrees } from './witness-disagrees';

/** Every scenario, simple ones first. */
export const SCENARIOS: readonly DrillScenario[] = [
  oneAppDown,
  appDown,
  databaseDown,
  regionLoss,
  regionHang,
  splitBrain,
  oregonReturns,
  controllerDies,
  twoControllers,
  standbyNotReady,
  virginiaDown,
  witnessDisagrees,
  flapping,
  failback,
  bothDirections,
  cloudLicense,
  guidLicense,
  redundantLicense,
  queueFailover,
];
