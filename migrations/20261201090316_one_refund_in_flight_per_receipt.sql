-- What the provider did can only be told from a receipt's total when one refund of it is tried at a time. The generated
-- column is null for every other refund, and a unique key lets any number of nulls be. Adding the column is instant, the
-- key reads the table, which is small.
alter table refunds
    add column in_flight varchar(64) generated always as (case when state = 'SENT' then receipt_id end) virtual,
    add constraint uq_refunds_in_flight unique (in_flight);
