-- Tiers follow what was earned. What a share of a credit was taken back for names the credit in `reverses`.
alter table member.membership add column points_earned bigint not null default 0 check (points_earned >= 0);
update member.membership set points_earned = greatest(0, coalesce(
    (select sum(moved.points) from member.points_movement moved
     where moved.front_end = membership.front_end and moved.member_id = membership.member_id
       and (moved.points > 0 or moved.reason like '%-reversed')), 0));
alter table member.points_movement add column reverses text;
update member.points_movement set reverses = reference where reason like '%-reversed';
create index points_movement_reverses on member.points_movement (front_end, member_id, reverses)
    where reverses is not null;

-- A merged membership points at the one that has everything now, never at another merged one.
create index membership_merged_into on member.membership (front_end, merged_into) where merged_into is not null;

-- A person of the group is forgotten when no front end has them any more, and a call sees its own front end's rows
-- only: so the owner looks. It says a number and deletes what nobody needs; it shows nothing.
create function member.memberships(of_person uuid) returns bigint
    language sql security definer set search_path = pg_catalog
begin atomic
    select count(*) from member.membership where person_id = of_person and state = 'active';
end;
create function member.forget_person(gone uuid) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    delete from member.person_identity where person_id = gone
        and not exists (select from member.membership where person_id = gone and state = 'active');
end;
revoke execute on function member.memberships(uuid), member.forget_person(uuid) from public;
grant execute on function member.memberships(uuid), member.forget_person(uuid) to isthmus_app;
