-- What was never charged is neither money that came nor money that went: the report leaves it out. What isn't known to be
-- uncharged counts, as it did. Locks nothing, changes no row; the columns stay what a release before this one reads.
-- Read by: money_by_day_and_flight, reports.
create or replace sql security invoker view money_moves as
with receipts as (
    select c.receipt_id, b.flight_id, c.amount, c.cancelled,
           date(if(p.bootpay_receipt_id = c.receipt_id, coalesce(p.paid_at, c.created_at), c.created_at) + interval 9 hour) as charged_on,
           date(coalesce(c.cancelled_at, c.updated_at) + interval 9 hour) as cancelled_on,
           coalesce((select sum(r.amount - r.paid_outside) from refunds r
                     where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED'), 0) as refunded
    from charges c
    left join payments p on p.payment_id = c.payment_id
    left join bookings b on b.booking_id = p.booking_id
    where c.was_paid and coalesce(c.was_charged, true)
)
select charged_on as moved_on, flight_id, receipt_id, amount as charged, 0 as refunded
from receipts
union all
select date(r.settled_at + interval 9 hour), c.flight_id, c.receipt_id, 0, r.amount
from refunds r
join receipts c on c.receipt_id = r.receipt_id
where r.state = 'SUCCEEDED'
union all
select cancelled_on, flight_id, receipt_id, 0, cancelled - refunded
from receipts
where cancelled > 0 and cancelled <> refunded;
