import logUpdate from 'log-update';
import type { EventLog } from '../world/events';
import { grantingRegions, type WorldState } from '../world/state';
import { eventLine } from './event-lines';
import { renderFrame } from './frame';

/** Shows the state of the local cluster in the terminal that started it. */
export interface View {
  stop(): void;
}

const LIVE_INTERVAL_MS = 500;
const PLAIN_SUMMARY_EVERY_MS = 30_000;
const PLAIN_COLUMNS = 160;
/** For a terminal that does not report its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/** Redraws a frame in place, for a terminal. */
export function liveView(state: () => WorldState, stream: NodeJS.WriteStream): View {
  const draw = (): void => {
    const { columns = DEFAULT_SIZE.columns, rows = DEFAULT_SIZE.rows } = stream;
    logUpdate(renderFrame(state(), { columns, rows }));
  };
  const timer = setInterval(draw, LIVE_INTERVAL_MS);
  draw();
  return {
    stop: () => {
      clearInterval(timer);
      logUpdate.done();
    },
  };
}

/** Writes one line for each event and a summary every 30 s, for pipes and logs. */
export function plainView(state: () => WorldState, events: EventLog, write: (line: string) => void): View {
  const unsubscribe = events.subscribe((event) => write(eventLine(event, PLAIN_COLUMNS)));
  const timer = setInterval(() => write(summaryLine(state())), PLAIN_SUMMARY_EVERY_MS);
  return {
    stop: () => {
      unsubscribe();
      clearInterval(timer);
    },
  };
}

/** `oregon grants · epoch 1 · controller healthy · automation/bot-creator 5 of 25 · …` */
function summaryLine(state: WorldState): string {
  const granting = grantingRegions(state);
  const components = [
    granting.length > 0 ? `${granting.join(' and ')} grants` : 'NO REGION GRANTS',
    state.authority ? `epoch ${state.authority.epoch} (${state.authority.region})` : 'authority store does not answer',
    `controller ${state.controller?.operation ?? state.controller?.verdict ?? 'has not reported yet'}`,
    ...state.pools.map(({ feature, seatsTaken, seats }) => `${feature} ${seatsTaken} of ${seats}`),
  ];
  return `          state            ${components.join(' · ')}`;
}
