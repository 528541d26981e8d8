-- What members write down, kept encrypted under a key of its scope where a company wants that; the columns in the clear are
-- null then. Rows so far are sealed by `isthmus security encrypt`.
alter table sync.document alter column body drop not null, add column sealed_body bytea;
alter table sync.conflict alter column kept drop not null, alter column lost drop not null,
    add column sealed_kept bytea, add column sealed_lost bytea;
