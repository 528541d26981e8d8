-- Reminds each venture that ever sent something too, not only those with a charter here: who left may still keep persons.
create or replace function venture.forget(accounts text[], codes text[]) returns setof text
    language sql security definer set search_path = ''
as $$
    insert into venture.reminder (front_end, member)
    select code, member
    from (select unnest(codes) union select front_end from venture.position) as known (code)
    cross join unnest(accounts) as member
    on conflict (front_end, member) do nothing;
    update venture.sale set member = '' where member = any(accounts) returning sale_id;
$$;
