-- What was charged and given back, by Seoul's calendar day and flight number; no flight number: money without a booking.
-- Locks nothing. Read by: the money report, and whoever keeps the books.
create sql security invoker view money_by_day_and_flight as
select moved_on, flight_id, cast(sum(charged) as signed) as charged, cast(sum(refunded) as signed) as refunded,
       cast(sum(charged) - sum(refunded) as signed) as net
from money_moves
group by moved_on, flight_id;
