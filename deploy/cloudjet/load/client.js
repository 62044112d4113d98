// A good client, as services/README.md asks for one: what it writes has a name of its own, and it asks again under that
// name after 503, 504 and what else may have happened, as late as it is told and later each time.

import exec from 'k6/execution';
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { Chance } from './chance.js';
import { isBeyond } from './profiles.js';
import { PROVIDER, SEED, SYSTEM, THINK } from './settings.js';

const askedAgain = new Counter('asked_again');
const steps = new Counter('steps');

// 409 is an answer: the seat is gone. Whoever sends more than can be served expects to be told so.
http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 409, ...(isBeyond ? [503] : [])));

const TRIES = 8;
const LONGEST_PAUSE = 8;

/** Somebody: their choices, their session, their requests. */
export class Customer {
  /** `who` is the same in every run with the same seed; `run` makes the names of what is written this run's own. */
  constructor(run, who, session) {
    this.name = `${run}-${who}`;
    this.session = session;
    this.chance = new Chance(SEED, who);
    this.asked = 0;
  }

  /** Whoever makes this iteration of a scenario. */
  static onJourney(run, session) {
    return new Customer(run, `${exec.scenario.name}-${exec.scenario.iterationInTest}`, session);
  }

  /** As long as a person takes. */
  think(least, most) {
    sleep(this.chance.between(least, most) * THINK);
  }

  get(name, path) {
    return this.ask('GET', name, path, null);
  }

  post(name, path, body) {
    return this.ask('POST', name, path, body);
  }

  /** Asks until there is a definite answer. `name` stands for all paths like this one. */
  ask(method, name, path, body) {
    this.asked += 1;
    const headers = { 'Accept-Language': 'en' };
    if (body !== null) {
      headers['Content-Type'] = 'application/json';
      headers['Idempotency-Key'] = `${this.name}-${this.asked}`;
    }
    if (this.session) headers.Authorization = `Bearer ${this.session.token}`;
    const parameters = { headers, tags: { name }, timeout: '30s' };
    const text = body === null ? null : JSON.stringify(body);
    let answer;
    for (let tried = 0; tried < TRIES; tried += 1) {
      if (tried > 0) askedAgain.add(1, { name });
      answer = http.request(method, `${SYSTEM}${path}`, text, parameters);
      if (!mayBeAskedAgain(answer)) break;
      const told = Number(answer.headers['Retry-After'] || 0);
      sleep(Math.max(told, Math.min(0.2 * 2 ** tried, LONGEST_PAUSE)) * this.chance.between(1, 1.5));
    }
    return answer;
  }

  /** What the provider's window does when the buyer has signed. It is the provider's time, and nobody's of ours. */
  payInWindow(order, price) {
    const parameters = { headers: { 'Content-Type': 'application/json' }, tags: { name: 'the provider', scenario: 'provider' } };
    return http.post(`${PROVIDER}/simulator/payments`, JSON.stringify({ order_id: order, price }), parameters);
  }

  /** Whether an answer is one of `statuses` and its body is as it must be. Tells which answer was neither. */
  sees(what, answer, statuses, isRight = () => true) {
    steps.add(1);
    const body = read(answer);
    const seen = check(answer, { [what]: () => statuses.includes(answer.status) && isRight(body) });
    if (!seen) console.warn(`${what}: ${answer.status} ${answer.error || (answer.body || '').slice(0, 200)}`);
    return seen;
  }
}

/** The body of an answer, or nothing where it has none that can be read. */
export function read(answer) {
  try {
    return answer.json() || {};
  } catch {
    return {};
  }
}

/** No answer (0), and those that say that it may have happened, or may be had later. */
function mayBeAskedAgain(answer) {
  if (answer.status === 409) return read(answer).code === 'idempotency-key-in-flight';
  return [0, 502, 503, 504].includes(answer.status);
}
