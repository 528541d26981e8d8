-- Secrets are sealed under a key outside the database; those in the clear are sealed by the senders, ten minutes after
-- they started, so that servers of the version before can read them for as long as they run beside.
alter table webhooks.secret add column sealed bytea;
alter table webhooks.secret alter column secret drop not null;
