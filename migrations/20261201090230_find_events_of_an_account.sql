-- What an account did, newest first: event_id, which follows in every index, grows with time. Reads the table, in
-- place; writes go on meanwhile.
alter table events add key ix_events_user_id (user_id);
