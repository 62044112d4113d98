-- A receipt that waited for our approval and was let go was never charged. The provider calls it cancelled in total, and
-- the report showed that as money that came and went. It is left out where a call to let it go was made, all of it is
-- cancelled, and it neither paid its payment nor was refunded by us: what the provider took after all is money like any
-- other. Locks nothing, changes no row; the columns stay what a release before this one reads.
-- Read by: money_by_day_and_flight, reports.
create or replace sql security invoker view money_moves as
with receipts as (
    select c.receipt_id, b.flight_id, c.amount, c.cancelled,
           date(if(p.bootpay_receipt_id = c.receipt_id, coalesce(p.paid_at, c.created_at), c.created_at) + interval 9 hour) as charged_on,
           date(coalesce(c.cancelled_at, c.updated_at) + interval 9 hour) as cancelled_on,
           coalesce((select sum(r.amount - r.paid_outside) from refunds r
                     where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED'), 0) as refunded,
           c.was_paid and not (
               c.cancelled = c.amount and c.refund_reserved = 0
               and not (p.bootpay_receipt_id <=> c.receipt_id and p.paid_at is not null)
               and exists (select 1 from provider_calls v where v.receipt_id = c.receipt_id and v.kind = 'VOID')
           ) as was_charged
    from charges c
    left join payments p on p.payment_id = c.payment_id
    left join bookings b on b.booking_id = p.booking_id
)
select charged_on as moved_on, flight_id, receipt_id, amount as charged, 0 as refunded
from receipts
where was_charged
union all
select date(r.settled_at + interval 9 hour), c.flight_id, c.receipt_id, 0, r.amount
from refunds r
join receipts c on c.receipt_id = r.receipt_id
where r.state = 'SUCCEEDED'
union all
select cancelled_on, flight_id, receipt_id, 0, cancelled - refunded
from receipts
where was_charged and cancelled > 0 and cancelled <> refunded;
