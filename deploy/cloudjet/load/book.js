// Too many want too few seats. That a seat is gone (409) is as right an answer as that one has it (201); what isn't right is
// any other, and a seat that two have. They give theirs back, so that there is always one to fight for; in the last quarter
// they mean it, and the flight is sold out when it is judged.

import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { Customer, read } from './client.js';
import { SEATS } from './settings.js';

const booked = new Counter('seats_booked');
const gone = new Counter('seats_gone');
const judgedRight = new Counter('flights_judged_right');

const GONE = ['sold-out', 'seat-taken', 'too-many-held-seats'];
/** From which part of the run on seats are kept. */
const LAST_CALL = 0.75;

const LETTERS = ['A', 'B', 'C', 'D', 'E', 'F'];

export function book({ run, sessions, contested }) {
  const customer = Customer.onJourney(run, sessions[exec.vu.idInTest % sessions.length]);
  const wish = { schedule_id: contested.schedules[0], passengers: [passenger(customer)] };
  if (customer.chance.happens(50)) wish.seat_id = anySeat(customer);
  const answer = customer.post('/api/bookings', '/api/bookings', wish);
  const { code, booking_number: number } = read(answer);
  // 200: this very seat is held by the same person already, from an iteration before.
  customer.sees('a seat is had, or gone', answer, [200, 201, 409], () => answer.status !== 409 || GONE.includes(code));
  if (answer.status === 409) gone.add(1);
  if (answer.status !== 201) return;
  booked.add(1);
  customer.think(1, 3);
  if (exec.scenario.progress < LAST_CALL) {
    const cancelled = customer.post('/api/bookings/{booking_number}/cancel', `/api/bookings/${number}/cancel`, {});
    customer.sees('a seat is given back', cancelled, [200], (body) => body.success);
  }
}

export function passenger(customer) {
  return {
    name: customer.chance.of(['김하늘', '이바다', '박구름', 'Kim Haneul']),
    birth_date: `19${60 + customer.chance.index(40)}-0${1 + customer.chance.index(9)}-1${customer.chance.index(10)}`,
    phone: `010-${1000 + customer.chance.index(9000)}-${1000 + customer.chance.index(9000)}`,
  };
}

/** One of the first seats of the cabin, as many as are sold. */
function anySeat(customer) {
  const seat = customer.chance.index(SEATS);
  return `${1 + Math.floor(seat / LETTERS.length)}${LETTERS[seat % LETTERS.length]}`;
}

/** When all is over: who flies, by the administrator's list, against what is free, by the seat map. */
export function judge(administrator, contested) {
  const live = ['PENDING', 'CONFIRMED'].flatMap((status) => bookings(administrator, contested, status));
  const passengers = live.flatMap((booking) => booking.passengers);
  const seats = passengers.map((one) => one.seat_number).filter(Boolean);
  const map = read(administrator.get('/api/bookings/seat-map/{schedule_id}', `/api/bookings/seat-map/${contested.schedules[0]}`));
  // In the last quarter seats are kept: a flight that nobody is on was looked for in the wrong place.
  const right = passengers.length > 0
    && passengers.length <= SEATS
    && new Set(seats).size === seats.length
    && passengers.length + map.available_seats === SEATS;
  const told = `${passengers.length} of ${SEATS} seats are had, ${map.available_seats} are free, `
    + `${seats.length - new Set(seats).size} are somebody else's, too`;
  if (right) {
    judgedRight.add(1);
    console.info(told);
  } else {
    console.error(told);
  }
}

const PAGE = 100;

function bookings(administrator, { flight }, status) {
  const all = [];
  for (;;) {
    const path = `/api/admin/bookings?flight_id=${flight}&status=${status}&limit=${PAGE}&offset=${all.length}`;
    const page = read(administrator.get('/api/admin/bookings', path)).bookings || [];
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}
