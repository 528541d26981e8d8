-- When two memberships become one, their person has one account in each programme: also where the account of one of them
-- was made at another front end.

-- The account of a person in a programme: also one that they have through a membership that was joined with another.
create or replace function member.account_of(owner text, of_programme text, person uuid, new_id uuid) returns uuid
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    found uuid;
begin
    if not exists (select from member.programme where front_end = owner and code = of_programme)
        or (owner <> current_setting('isthmus.front_end', true) and not exists (
            select from isthmus.row_grant one
            where one.owner = account_of.owner and one.kind = 'member.programme' and one.name = of_programme
                and one.to_front_end = current_setting('isthmus.front_end', true) and one.can = 'use'
                and one.withdrawn_at is null and (one.ends_at is null or one.ends_at > now())))
    then
        return null;
    end if;
    select one.account_id into found from member.membership held join member.account one using (account_id)
        where held.person_id = person and held.state = 'active'
            and one.front_end = owner and one.programme = of_programme
        order by one.account_id limit 1;
    if found is null then
        insert into member.account (account_id, front_end, programme, person_id, points, earned, tier)
            values (new_id, owner, of_programme, person, 0, 0, '')
            on conflict (front_end, programme, person_id) do nothing;
        select account_id into found from member.account
            where front_end = owner and programme = of_programme and person_id = person;
    end if;
    perform from member.account where account_id = found for update;
    return found;
end $$;

-- Make one account of those that two memberships of this session's front end, which become one, have between them: their own
-- accounts, and what their persons have in the same programme elsewhere, as far as the front end may use it. Returns which
-- went into which. The first membership has the one that stays.
create function member.join_accounts(one uuid, other uuid) returns table (stays uuid, goes uuid)
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    me constant text := current_setting('isthmus.front_end', true);
    mine member.membership;
    theirs member.membership;
    main uuid;
begin
    select * into mine from member.membership where front_end = me and member_id = one and state = 'active';
    select * into theirs from member.membership where front_end = me and member_id = other and state = 'active';
    if mine.member_id is null or theirs.member_id is null then
        raise exception 'accounts are joined with memberships' using errcode = 'insufficient_privilege';
    end if;
    main := coalesce(mine.account_id, theirs.account_id);
    perform from member.account a
        where a.account_id in (main, theirs.account_id) or a.person_id in (mine.person_id, theirs.person_id)
        order by a.account_id for update;
    for stays, goes in
        select kept.account_id, a.account_id from member.account a
        join lateral (
            select b.account_id from member.account b
            where b.account_id <> a.account_id and (
                (a.account_id = theirs.account_id and b.account_id = main)
                or ((b.front_end, b.programme) = (a.front_end, a.programme)
                    and (b.account_id = main or b.person_id = mine.person_id)))
            order by b.account_id = main desc nulls last limit 1) kept on true
        where a.account_id is distinct from main and (a.account_id = theirs.account_id or (
            a.person_id in (mine.person_id, theirs.person_id) and (a.front_end = me or exists (
                select from isthmus.row_grant g
                where g.owner = a.front_end and g.kind = 'member.programme' and g.name = a.programme and g.part = ''
                    and g.to_front_end = me and g.can = 'use'
                    and g.withdrawn_at is null and (g.ends_at is null or g.ends_at > now())))))
        order by a.account_id
    loop
        update member.points_lot set account_id = stays where account_id = goes;
        update member.points_movement set account_id = stays where account_id = goes;
        update member.membership set account_id = stays where account_id = goes;
        update member.account kept set points = kept.points + gone.points, earned = kept.earned + gone.earned,
            tier = case when jsonb_array_length(scheme.tiers) = 0 then kept.tier else coalesce((
                select step ->> 'tier' from jsonb_array_elements(scheme.tiers) step
                where (step ->> 'earned')::bigint <= kept.earned + gone.earned
                order by (step ->> 'earned')::bigint desc limit 1), '') end
            from member.account gone, member.programme scheme
            where kept.account_id = stays and gone.account_id = goes
                and scheme.front_end = kept.front_end and scheme.code = kept.programme;
        delete from member.account where account_id = goes;
        return next;
    end loop;
    update member.membership set account_id = main where front_end = me and member_id = one;
    update member.account a set person_id = mine.person_id
        where a.account_id = main and not exists (
            select from member.account b
            where (b.front_end, b.programme) = (a.front_end, a.programme) and b.person_id = mine.person_id);
end $$;
revoke execute on function member.join_accounts(uuid, uuid) from public;
grant execute on function member.join_accounts(uuid, uuid) to isthmus_app;
