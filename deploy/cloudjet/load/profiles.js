// How many customers come, and how that changes: for each profile the journeys with their rates, and what must hold.
//
// Journeys begin at a rate, whether or not those before have ended: a system that slows down gets no rest for it.

import { DURATION, P95, PROFILE, RATE, SCALE, SCENARIOS } from './settings.js';

/** Journeys a second, for each at 1×. Most look, few buy; who wants the scarce seats comes in a crowd. */
const SHARES = { browse: 2, 'sign-in': 0.5, book: 2, pay: 0.5 };

/** What makes a journey, where it isn't called the same. */
const FUNCTIONS = { 'sign-in': 'signIn' };

/** Seconds, and the multiple of the rates that is reached by their end. */
const PROFILES = {
  smoke: { start: 1, stages: [[20, 1]] },
  load: { start: 1, stages: [[60, 5], [300, 5], [30, 0]] },
  stress: { start: 1, stages: [[60, 5], [60, 5], [60, 10], [60, 10], [60, 20], [60, 20], [60, 40], [60, 40], [30, 0]] },
  soak: { start: 1, stages: [[60, 3], [7200, 3], [60, 0]] },
  spike: { start: 1, stages: [[60, 1], [10, 20], [60, 20], [10, 1], [60, 1]] },
  traffic: {},
};

/** What must be seen of whoever has paid. */
export const CONFIRMED = 'a paid booking is confirmed';

/** More than the system may be able to serve: then it must say so and stay right, and needn't be fast. */
const BEYOND = ['stress', 'spike'];

export const isBeyond = BEYOND.includes(PROFILE);

/** Visitors for the graphs' sake, who may come from far away: nobody's speed is judged by them. */
const isTrickle = PROFILE === 'traffic';

/** The longest that a journey takes in a system that answers, in seconds. It says how many customers there are at once. */
const LONGEST = { browse: 12, 'sign-in': 8, book: 8, pay: 14 };

function scenario(journey) {
  const { start, stages } = PROFILES[PROFILE];
  const share = SHARES[journey] * SCALE;
  // Rates are whole numbers, so they are told for a minute.
  const rate = (times) => Math.max(0, Math.round(share * times * 60));
  const most = Math.max(...stages.map(([, times]) => times)) * share;
  return {
    executor: 'ramping-arrival-rate',
    exec: FUNCTIONS[journey] || journey,
    timeUnit: '1m',
    startRate: rate(start),
    stages: stages.map(([seconds, times]) => ({ duration: `${seconds}s`, target: rate(times) })),
    preAllocatedVUs: Math.ceil(most * LONGEST[journey]),
    maxVUs: Math.ceil(most * LONGEST[journey] * 3),
    gracefulStop: '30s',
  };
}

/** Somebody always looks around: what a cluster without customers needs for its graphs to show anything. */
function trickle() {
  return {
    executor: 'constant-arrival-rate',
    exec: 'browse',
    rate: RATE,
    timeUnit: '1s',
    duration: DURATION,
    preAllocatedVUs: Math.ceil(RATE * LONGEST.browse),
    gracefulStop: '30s',
  };
}

/** How many journeys a scenario begins: its rates are those of a minute, and change evenly. */
export function planned({ startRate, stages }) {
  let [count, rate] = [0, startRate];
  for (const { duration, target } of stages) {
    count += ((rate + target) / 2) * (parseInt(duration, 10) / 60);
    rate = target;
  }
  return Math.ceil(count);
}

/** The scenarios of this run, by the names of the journeys. */
export function scenarios() {
  if (!(PROFILE in PROFILES)) {
    throw new Error(`PROFILE: there is no ${PROFILE}; there are ${Object.keys(PROFILES).join(', ')}`);
  }
  if (isTrickle) {
    return { browse: trickle() };
  }
  const unknown = SCENARIOS.filter((name) => !(name in SHARES));
  if (unknown.length > 0) {
    throw new Error(`SCENARIOS: there is no ${unknown.join(', ')}; there are ${Object.keys(SHARES).join(', ')}`);
  }
  const wanted = SCENARIOS.length > 0 ? SCENARIOS : Object.keys(SHARES);
  return Object.fromEntries(wanted.map((name) => [name, scenario(name)]));
}

/**
 * What must hold of each journey. A rate or a percentile of nothing would hold, so each stands beside a count of what it is
 * of, which fails where nothing was counted.
 */
export function thresholds(journeys) {
  // A journey that isn't begun, because too many are still under way, has no answer that could be judged.
  const all = isBeyond || isTrickle ? {} : { dropped_iterations: ['count==0'] };
  for (const journey of Object.keys(journeys)) {
    const of = `{scenario:${journey}}`;
    all[`http_reqs${of}`] = ['count>0'];
    if (!isTrickle) all[`http_req_duration${of}`] = [`p(95)<${P95 || (isBeyond ? 2000 : 200)}`];
    all[`http_req_failed${of}`] = ['rate<0.001'];
    all[`steps${of}`] = ['count>0'];
    all[`checks${of}`] = ['rate>0.99'];
  }
  if ('browse' in journeys) {
    all.seat_maps_seen = ['count>0'];
  }
  if ('book' in journeys) {
    all.seats_booked = ['count>0'];
    all.seats_gone = ['count>0'];
    all.flights_judged_right = ['count==1'];
  }
  if ('pay' in journeys) {
    all.payments_confirmed = ['count>0'];
    // Money without a seat is never all right; beyond, somebody may have to wait longer than they look.
    all[`checks{check:${CONFIRMED}}`] = [isBeyond ? 'rate>0.99' : 'rate==1'];
    if (!isBeyond) all.payment_to_confirmation = ['p(95)<5000'];
  }
  return all;
}
