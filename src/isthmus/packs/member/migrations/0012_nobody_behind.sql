-- Points of an account with nobody behind it end at that moment, though they would never expire: nobody can ask for them,
-- and who gave them is told by the job that lets points lapse. Nobody is behind an account that no active membership has,
-- where its last one leaves, and behind all accounts of a person who is nowhere known any more.
create function member.leave_account(left_by uuid, gone uuid, at timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    lonely uuid[];
begin
    select array_agg(account_id) into lonely from (
        select account_id from member.account one
        where (account_id = left_by or (person_id = gone and not exists (
                select from member.membership where membership.person_id = gone and state = 'active')))
            and not exists (
                select from member.membership where membership.account_id = one.account_id and state = 'active')
        order by account_id for update) as locked;
    update member.points_lot set expires_at = at
        where account_id = any (lonely) and unspent > 0 and (expires_at is null or expires_at > at);
    update member.account set person_id = null where account_id = any (lonely);
end $$;
revoke execute on function member.leave_account(uuid, uuid, timestamptz) from public;
grant execute on function member.leave_account(uuid, uuid, timestamptz) to isthmus_app;
create or replace function member.leave_account(left_by uuid) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    select member.leave_account(left_by, null, now());
end;

-- Those of before.
update member.points_lot set expires_at = now() from member.account one
where one.account_id = points_lot.account_id and one.person_id is null and unspent > 0
    and (expires_at is null or expires_at > now());
select member.leave_account(null, person_id, now()) from member.account one
where person_id is not null and not exists (
    select from member.membership where membership.person_id = one.person_id and state = 'active');

create index membership_forgotten on member.membership (front_end, member_id) where state = 'erased' and points > 0;
