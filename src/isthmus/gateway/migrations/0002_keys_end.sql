-- A key may end by itself, and one that another takes over from ends a while later. When it was used last is known to
-- the minute.
alter table gateway.client add column expires_at timestamptz;
alter table gateway.client add column used_at timestamptz;
