-- What the provider told about a receipt, and on certain days: asked for by who looks after money. Reads the table, in
-- place; writes go on meanwhile.
alter table provider_events
    add key ix_provider_events_receipt_id (receipt_id),
    add key ix_provider_events_received_at (received_at);
