// Buying: a booking, its payment, the provider's window, which tells the system by its webhook, and the booking confirmed.

import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { passenger } from './book.js';
import { Customer, read } from './client.js';
import { CONFIRMED } from './profiles.js';

const confirmed = new Counter('payments_confirmed');
const untilConfirmed = new Trend('payment_to_confirmation', true);

/** How often, and how long, somebody looks whether the booking is confirmed, in seconds. */
const LOOKING = 0.25;
const LONG_ENOUGH = 20;

export function pay({ run, sessions, roomy }) {
  const customer = Customer.onJourney(run, sessions[exec.vu.idInTest % sessions.length]);
  const booking = hold(customer, roomy);
  if (!booking) return;
  customer.think(2, 4);
  const { booking_number: number, total_amount: amount } = booking;
  const begun = customer.post('/api/payments/init', '/api/payments/init', { bookingId: number, amount });
  if (!customer.sees('a payment is begun', begun, [200], (body) => body.success && body.order_id)) return;
  customer.think(1, 3);

  const paidAt = Date.now();
  const window = customer.payInWindow(read(begun).order_id, amount);
  if (!customer.sees('the provider takes the money', window, [200, 201], (body) => body.receipt_id)) return;
  const seen = lookUntilDecided(customer, number);
  if (!customer.sees(CONFIRMED, seen, [200], ({ booking }) => booking.status === 'CONFIRMED')) return;
  confirmed.add(1);
  untilConfirmed.add(Date.now() - paidAt);

  // Some change their minds, and get their money back.
  if (customer.chance.happens(20)) {
    customer.think(1, 2);
    const cancelled = customer.post('/api/bookings/{booking_number}/cancel', `/api/bookings/${number}/cancel`, {});
    customer.sees('a paid booking is cancelled', cancelled, [200], (body) => body.refund_amount > 0);
  }
}

/** A seat of one flight after the other, so that none is full before all are. */
function hold(customer, roomy) {
  const answer = customer.post('/api/bookings', '/api/bookings', {
    schedule_id: roomy.schedules[exec.scenario.iterationInTest % roomy.schedules.length],
    passengers: [passenger(customer)],
  });
  const isHeld = customer.sees('a booking is made', answer, [201], (body) => body.status === 'PENDING');
  return isHeld ? read(answer) : null;
}

/** The last answer about a booking that waited for its money. */
function lookUntilDecided(customer, number) {
  const until = Date.now() + LONG_ENOUGH * 1000;
  for (;;) {
    const answer = customer.get('/api/bookings/{booking_number}', `/api/bookings/${number}`);
    const { booking } = read(answer);
    const waits = answer.status === 200 && booking.status === 'PENDING';
    if (!waits || Date.now() > until) return answer;
    sleep(LOOKING);
  }
}
