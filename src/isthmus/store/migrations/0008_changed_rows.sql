-- Rows that a watched call changes, as they were and as they are: for whoever writes down what commands did.
--
-- Nobody is watched but by isthmus.watch, for its transaction; for all others a trigger is one comparison for each row.
-- What is noted has no personal data and no secret: `masks` says by table which columns hold what, `*` by any.
create table isthmus.changed_row (
    id bigint generated always as identity primary key,
    call text collate "C" not null,
    said text not null,  -- JSON: table, key, before, after; nothing: there were more rows than are noted
    at timestamptz not null default now()
);
create index on isthmus.changed_row (call);

create function isthmus.watch(call text, masks text) returns void
    language plpgsql
as $$
begin
    perform set_config('isthmus.watched', call, true);
    perform set_config('isthmus.masks', masks, true);
    perform set_config('isthmus.rows', '0', true);
end $$;
comment on function isthmus.watch(text, text) is 'Note the rows that this transaction changes, for a call; masks: by table, the columns that are hidden, and as what.';

create function isthmus.shown(masks jsonb, field text, value jsonb) returns jsonb
    language sql immutable
    return case
        when value is null or value in ('null', '""', '{}', '[]') then value
        when masks ? field then to_jsonb('[' || (masks ->> field) || ']')
        when field ~ '(^|_)(secret|token|password|hash)$' then to_jsonb('[secret]'::text)
        when length(value::text) > 512  -- a rule or a text: that it is another one is what matters
            then to_jsonb('[SHA-256 ' || encode(sha256(convert_to(value::text, 'UTF8')), 'hex') || ']')
        else value
    end;

-- Only fields that differ are noted, and all that there was of a row that goes, or ends: another one takes its place.
create function isthmus.note_row() returns trigger
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    rows_max constant integer := 50;  -- of one transaction: a price list has thousands
    number constant integer := current_setting('isthmus.rows')::integer + 1;
    place constant text := tg_table_schema || '.' || tg_table_name;
    was constant jsonb := to_jsonb(old);
    is_now constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(new) end;
    goes constant boolean := tg_op = 'DELETE' or (was -> 'ended_at' = 'null' and is_now -> 'ended_at' <> 'null');
    masks jsonb := current_setting('isthmus.masks')::jsonb;
    left_out text[];
    keys text[];
begin
    if was = is_now then
        return null;
    elsif number > rows_max then
        perform set_config('isthmus.rows', number::text, true);
        if number = rows_max + 1 then
            insert into isthmus.changed_row (call, said) values (current_setting('isthmus.watched'), '');
        end if;
        return null;
    end if;
    select coalesce(masks -> '*', '{}') || coalesce(masks -> place, '{}')
            || coalesce(jsonb_object_agg(attname, 'bytes') filter (where atttypid = 'bytea'::regtype), '{}')
            || coalesce(jsonb_object_agg(attname, substring(col_description(attrelid, attnum) from '^Pii ([a-z-]+)'))
                filter (where col_description(attrelid, attnum) ~ '^Pii '), '{}'),
        array_agg(attname::text) filter (where atttypid = 'tsvector'::regtype or attgenerated <> '')
    into masks, left_out
    from pg_attribute where attrelid = tg_relid and attnum > 0 and not attisdropped;
    select array_agg(attname::text) into keys
    from pg_index join pg_attribute on attrelid = indrelid and attnum = any (indkey)
    where indrelid = tg_relid and indisprimary and attname <> 'front_end';
    insert into isthmus.changed_row (call, said)
    select current_setting('isthmus.watched'),
        json_build_object('table', place, 'key', key, 'before', before, 'after', after)::text
    from (
        select jsonb_object_agg(field, isthmus.shown(masks, field, b)) filter (where field = any (keys)) as key,
            jsonb_object_agg(field, isthmus.shown(masks, field, b)) filter (
                where case when goes then b <> 'null' and field <> 'front_end' else b is distinct from a end) as before,
            jsonb_object_agg(field, isthmus.shown(masks, field, a)) filter (
                where is_now is not null and b is distinct from a) as after
        from jsonb_each(was) as one (field, b) left join jsonb_each(is_now) as other (field, a) using (field)
        where field <> all (coalesce(left_out, '{}'))) as found
    where before is not null;
    if found then
        perform set_config('isthmus.rows', number::text, true);
    end if;
    return null;
end $$;

-- Each table on its own, so that no call waits for more than one; whoever migrates calls it until it has had them all.
create procedure isthmus.watch_tables()
    language plpgsql
as $$
declare
    one regclass;
begin
    for one in
        select pg_class.oid from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind in ('r', 'p') and not relispartition
            and (nspname not in ('isthmus', 'audit', 'runtime', 'pg_catalog', 'information_schema')
                or (nspname, relname) = ('isthmus', 'row_grant'))
            and (has_any_column_privilege('isthmus_app', pg_class.oid, 'update')
                or has_table_privilege('isthmus_app', pg_class.oid, 'delete')
                or nspname like 'fe\_%' and has_table_privilege(pg_class.oid, 'trigger'))
            and not exists (select from pg_trigger where tgrelid = pg_class.oid and tgname = 'note_row')
        order by pg_class.oid
    loop
        execute format('create trigger note_row after update or delete on %s for each row '
            'when (current_setting(''isthmus.watched'', true) > '''') execute function isthmus.note_row()', one);
        commit;
    end loop;
end $$;
