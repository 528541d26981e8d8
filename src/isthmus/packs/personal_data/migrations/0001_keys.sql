-- Keys of persons, each wrapped under an envelope key that is kept outside the database. They have a schema of their
-- own, so that backups that are kept for long can leave them out: `pg_dump --exclude-table-data='personal_data.*'`.
create table personal_data.key (
    subject text primary key,  -- a member's id, `account:<id>`; `*`: the key of keyed hashes, which is nobody's
    front_end text not null,   -- `*`: of the whole group
    envelope text not null,    -- which envelope key wraps it
    wrapped bytea not null,
    made_at timestamptz not null default now()
);
create index on personal_data.key (envelope);
select isthmus.guard('personal_data.key');
revoke update, delete on personal_data.key from isthmus_app;

-- Destroys keys, for a call that forgets persons, of the whole group too.
create function personal_data.forget(subjects text[]) returns bigint
    language sql security definer set search_path = ''
as $$
    with gone as (
        delete from personal_data.key where subject = any(subjects) and subject <> '*' returning subject)
    select count(*) from gone;
$$;
