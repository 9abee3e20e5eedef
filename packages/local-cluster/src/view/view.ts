import logUpdate from 'log-update';
import type { EventLog } from '../world/events';
import { grantingRegions, type WorldState } from '../world/state';
import { eventLine, renderFrame } from './frame';

/** Something that shows the world to the person who started it. */
export interface View {
  stop(): void;
}

const LIVE_INTERVAL_MS = 500;
const PLAIN_SUMMARY_EVERY_MS = 30_000;

/** A frame that is drawn again in place, for a terminal. */
export function liveView(state: () => WorldState, stream: NodeJS.WriteStream): View {
  const draw = (): void => logUpdate(renderFrame(state(), { columns: stream.columns ?? 100, rows: stream.rows ?? 40 }));
  const timer = setInterval(draw, LIVE_INTERVAL_MS);
  draw();
  return {
    stop: () => {
      clearInterval(timer);
      logUpdate.done();
    },
  };
}

/** One line for each event, and now and then one that sums up: for pipes and logs. */
export function plainView(state: () => WorldState, events: EventLog, write: (line: string) => void): View {
  const unsubscribe = events.subscribe((event) => write(eventLine(event, 160)));
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
    granting.length > 0 ? `${granting.join(' and ')} grants` : 'no region grants',
    state.authority ? `epoch ${state.authority.epoch} (${state.authority.region})` : 'authority store does not answer',
    `controller ${state.controller?.operation ?? state.controller?.verdict ?? 'not heard yet'}`,
    ...state.pools.map(({ feature, seatsTaken, seats }) => `${feature} ${seatsTaken} of ${seats}`),
  ];
  return `          state            ${components.join(' · ')}`;
}
