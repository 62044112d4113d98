-- Every movement of money: what was charged, and what went back by our refunds (also where an operator paid them by other
-- means than the provider) or by its console. Locks nothing. A day is Seoul's, which keeps nine hours ahead of UTC all year; money without a booking has no flight.
-- Read by: orders::reconcile, reports. The adopted history counts on the day the original called it paid.
create sql security invoker view money_moves as
select date(if(p.bootpay_receipt_id = c.receipt_id, coalesce(p.paid_at, c.created_at), c.created_at) + interval 9 hour) as moved_on,
       b.flight_id, c.receipt_id, c.amount as charged, 0 as refunded
from charges c
left join payments p on p.payment_id = c.payment_id
left join bookings b on b.booking_id = p.booking_id
where c.was_paid
union all
select date(r.settled_at + interval 9 hour), b.flight_id, c.receipt_id, 0, r.amount
from refunds r
join charges c on c.receipt_id = r.receipt_id
left join payments p on p.payment_id = c.payment_id
left join bookings b on b.booking_id = p.booking_id
where r.state = 'SUCCEEDED'
union all
select date(coalesce(c.cancelled_at, c.updated_at) + interval 9 hour), b.flight_id, c.receipt_id, 0,
       c.cancelled - coalesce((select sum(r.amount - r.paid_outside) from refunds r
                               where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED'), 0)
from charges c
left join payments p on p.payment_id = c.payment_id
left join bookings b on b.booking_id = p.booking_id
where c.was_paid and c.cancelled > 0
  and c.cancelled <> coalesce((select sum(r.amount - r.paid_outside) from refunds r
                               where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED'), 0);
