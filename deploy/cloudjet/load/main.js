// Customers of a running CloudJet: k6 run main.js. settings.js has what it can be told, profiles.js how many come.
//
// `book` and `pay` make accounts, flights and bookings: never against a system that sells to people.

import { fail } from 'k6';
import exec from 'k6/execution';
import { browse } from './browse.js';
import { book, judge } from './book.js';
import { Customer, read } from './client.js';
import { pay } from './pay.js';
import { logIn, open } from './people.js';
import { planned, scenarios, thresholds } from './profiles.js';
import { ADMINISTRATOR, SEATS } from './settings.js';
import { signIn } from './signin.js';

export { book, browse, pay, signIn };

const journeys = scenarios();

export const options = {
  scenarios: journeys,
  thresholds: thresholds(journeys),
  setupTimeout: '5m',
  teardownTimeout: '2m',
  summaryTrendStats: ['count', 'min', 'med', 'p(95)', 'p(99)', 'max'],
  noConnectionReuse: false,
  userAgent: 'cloudjet-load',
};

/** For how many people there is a session. More customers than that share theirs. */
const PEOPLE = 40;

/** Where the flights go that are published for a run. */
const [FROM, TO] = ['ICN', 'NRT'];

/** On how many days the roomy flight is flown, and with how many seats each. It can't be published for more than 90. */
const DAYS = 80;
const ROOM = 180;

export function setup() {
  const run = Date.now().toString(36);
  const days = calendar(30);
  const needed = ['book', 'pay'].filter((name) => name in journeys);
  if (needed.length === 0) return { run, days };
  const wanted = 'pay' in journeys ? planned(journeys.pay) : 0;
  if (wanted > DAYS * ROOM) fail(`pay would book ${wanted} seats, and there are ${DAYS * ROOM}: ask for a smaller SCALE`);
  if (!ADMINISTRATOR.email) fail(`${needed.join(' and ')} need ADMIN_EMAIL and ADMIN_PASSWORD`);

  const desk = new Customer(run, 'desk');
  desk.session = logIn(desk, ADMINISTRATOR) || fail('the administrator can\'t log in');
  const mark = run.slice(-6).toUpperCase();
  const contested = publish(desk, `CF${mark}`, [days[1]], SEATS);
  const roomy = publish(desk, `RF${mark}`, calendar(DAYS + 1).slice(1), ROOM);
  const people = Math.min(PEOPLE, needed.reduce((sum, name) => sum + journeys[name].preAllocatedVUs, 0));
  const sessions = Array.from({ length: people }, (_, n) => {
    const person = new Customer(run, `person-${n}`);
    return open(person, `${run}-${n}@load.example.com`, 0) || fail('an account can\'t be opened');
  });
  return { run, days, desk: desk.session, contested, roomy, sessions };
}

export function teardown({ run, desk, contested }) {
  if (!('book' in journeys)) return;
  const administrator = new Customer(run, 'judge');
  administrator.session = desk;
  judge(administrator, contested);
}

/** A flight of this run's own on `days`, one after the other, and the schedules that customers find of it. */
function publish(desk, flight, days, seats) {
  const answer = desk.post('/api/admin/flights-with-schedules', '/api/admin/flights-with-schedules', {
    flight: {
      flight_id: flight,
      departure_airport: FROM,
      arrival_airport: TO,
      departure_time: '22:00',
      arrival_time: '23:50',
      aircraft: 'Boeing 737-800',
      base_price: 320000,
      total_seats: seats,
    },
    schedule: { mode: 'range', start_date: days[0], end_date: days[days.length - 1] },
  });
  if (answer.status !== 201) fail(`${flight} can't be published: ${answer.status} ${answer.body}`);
  const schedules = days.map((day) => {
    const path = `/api/flights/search?departure=${FROM}&arrival=${TO}&date=${day}`;
    const found = read(desk.get('/api/flights/search', path)).flights || [];
    const mine = found.find((one) => one.flight_id === flight) || fail(`${flight} isn't found on ${day}`);
    return mine.schedule_id;
  });
  return { flight, schedules };
}

/** The next `count` days by the calendar of Seoul, today first. */
function calendar(count) {
  const today = Date.now() + 9 * 3600e3;
  return Array.from({ length: count }, (_, n) => new Date(today + n * 86400e3).toISOString().slice(0, 10));
}
