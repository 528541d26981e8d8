-- What was lent to read can be lent to use by a later migration: a declaration takes the place of the one before.
--
--     select isthmus.lend('loyalty.card', 'card', used_by => '{update}');
create or replace function isthmus.lend(
    lent regclass, named text, kind text default null, part text default null, used_by text[] default '{}',
    bounds text[] default '{}'
) returns void
    language plpgsql
as $$
declare
    of_kind constant text := coalesce(kind, lent::text);
    tbl constant text := (select quote_ident(relname) from pg_class where oid = lent);
    granted constant text := format(
        'exists (select from isthmus.row_grant standing
            where standing.to_front_end = current_setting(''isthmus.front_end'', true) collate "C"
                and standing.owner = %1$s.front_end collate "C" and standing.kind = %2$L
                and standing.name = %1$s.%3$I collate "C" and standing.part in ('''', %4$s)
                and standing.withdrawn_at is null and (standing.ends_at is null or standing.ends_at > now())',
        tbl, of_kind, named, case when part is null then '''''' else format('%s.%I collate "C"', tbl, part) end);
    command text;
begin
    if kind is null then
        insert into isthmus.shareable values (of_kind, named, bounds)
            on conflict on constraint shareable_pkey do update set named = excluded.named, bounds = excluded.bounds;
    end if;
    for command in select polname from pg_policy where polrelid = lent and polname like 'as\_granted\_%' loop
        execute format('drop policy %I on %s', command, lent);
    end loop;
    execute format('create policy as_granted_read on %s for select to isthmus_app using (%s))', lent, granted);
    foreach command in array used_by loop
        execute format('create policy as_granted_%s on %s for %s to isthmus_app %s (%s and standing.can = ''use''))',
            command, lent, command, case command when 'insert' then 'with check' else 'using' end, granted);
    end loop;
end $$;
