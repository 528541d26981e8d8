-- An entry with the rows that its command changed, as the store has noted them: what was noted goes, and is in the entry.
create function audit.add(content text, call text) returns void
    language sql security definer set search_path = ''
as $$
    with gone as (
        delete from isthmus.changed_row where changed_row.call = add.call returning id, said
    ), found as (
        select string_agg(said, ',' order by id) filter (where said <> '') as rows,
            greatest(nullif(current_setting('isthmus.rows', true), '')::integer - count(*) filter (where said <> ''),
                count(*) filter (where said = '')) as beyond
        from gone
    )
    insert into audit.pending (front_end, content)
    select current_setting('isthmus.front_end'),
        left(add.content, -1) || coalesce(',"rows":[' || rows || ']', '')
            || case when beyond > 0 then ',"rows_left_out":' || beyond else '' end || '}'
    from found
$$;
