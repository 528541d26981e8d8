-- Two members that are one now, or two accounts in a programme: what they used counts together, under the one that stays.
-- Orders name whom they were redeemed for; `joined` says who that is now.
create table promotion.joined (
    was uuid primary key,
    now uuid not null check (now <> was)
);

-- Who somebody is now. It holds joins off until the transaction ends, so that nothing is counted for who is joined meanwhile.
create function promotion.now_called(who uuid) returns uuid
    language plpgsql strict security definer set search_path = pg_catalog
as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('promotion.joined/' || who, 0));
    return coalesce((select joined.now from promotion.joined where was = who), who);
end $$;
revoke execute on function promotion.now_called(uuid) from public;
grant execute on function promotion.now_called(uuid) to isthmus_app;

-- Add what one has used to what another has. With the owner's rights: the counts of an account are those of the promotions'
-- owners. Own coupons of a member go along.
create function promotion.join_counts(one uuid, other uuid) returns bigint
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    me constant text := current_setting('isthmus.front_end', true);
    added bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('promotion.joined/' || other, 0));
    insert into promotion.joined (was, now) values (other, promotion.now_called(one)) on conflict do nothing;
    if not found then
        return 0;
    end if;
    update promotion.joined set now = promotion.now_called(one) where now = other;
    with gone as (delete from promotion.person_use where account_id = other returning *),
    put as (
        insert into promotion.person_use as known (front_end, promotion, coupon, account_id, uses)
        select front_end, promotion, coupon, promotion.now_called(one), uses from gone order by 1, 2, 3
        on conflict (front_end, promotion, coupon, account_id) do update set uses = known.uses + excluded.uses
    )
    select coalesce(sum(gone.uses), 0) from gone into added;
    with gone as (delete from promotion.member_use where front_end = me and member_id = other returning *),
    put as (
        insert into promotion.member_use as known (front_end, promotion, coupon, member_id, uses)
        select front_end, promotion, coupon, promotion.now_called(one), uses from gone order by 1, 2, 3
        on conflict (front_end, promotion, coupon, member_id) do update set uses = known.uses + excluded.uses
    )
    select added + coalesce(sum(gone.uses), 0) from gone into added;
    update promotion.coupon set member_id = one where front_end = me and member_id = other;
    return added;
end $$;
revoke execute on function promotion.join_counts(uuid, uuid) from public;
grant execute on function promotion.join_counts(uuid, uuid) to isthmus_app;
