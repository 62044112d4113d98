-- The trace of the request that queued a refund: what is asked of the provider later belongs to it. Instant; reads and
-- writes go on. Existing rows, and a release that doesn't know it, leave it null.
alter table refunds add column traceparent varchar(55) null;
