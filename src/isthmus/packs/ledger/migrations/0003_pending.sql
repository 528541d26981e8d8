-- What is pending is few among many: whoever ends it, or closes, finds it without reading what was posted.
create index entry_pending on ledger.entry (front_end, kind, entry_id) where state = 'pending';
