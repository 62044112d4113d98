// Looking around, as most people do: offers, a search or two, the seats of a flight.

import { Counter } from 'k6/metrics';
import { Customer } from './client.js';

/** An airline may sell nothing on some day. Where nobody has seen a seat on any, it sells nothing at all. */
const seatMapsSeen = new Counter('seat_maps_seen');

/** Some of those that the demo airline flies. */
const ROUTES = [['ICN', 'NRT'], ['ICN', 'KIX'], ['ICN', 'BKK'], ['NRT', 'ICN'], ['KIX', 'ICN']];

export function browse({ run, days }) {
  const customer = Customer.onJourney(run);
  const [offers, list] = customer.chance.happens(50) ? ['featured', 'flights'] : ['promotions', 'promotions'];
  const shown = customer.get(`/api/flights/${offers}`, `/api/flights/${offers}`);
  customer.sees('offers are shown', shown, [200], (body) => Array.isArray(body[list]));
  customer.think(1, 3);

  const found = search(customer, days);
  customer.think(1, 3);
  if (customer.chance.happens(40)) {
    search(customer, days);
    customer.think(1, 3);
  }
  if (found.length === 0) return;
  const { schedule_id: schedule } = customer.chance.of(found);
  const map = customer.get('/api/bookings/seat-map/{schedule_id}', `/api/bookings/seat-map/${schedule}`);
  if (customer.sees('seats are shown', map, [200], (body) => body.rows.length > 0)) seatMapsSeen.add(1);
}

function search(customer, days) {
  const [from, to] = customer.chance.of(ROUTES);
  const day = customer.chance.of(days);
  const answer = customer.get('/api/flights/search', `/api/flights/search?departure=${from}&arrival=${to}&date=${day}`);
  const seen = customer.sees('a search is answered', answer, [200], (body) => body.total === body.flights.length);
  return seen ? answer.json().flights : [];
}
