-- A programme of several front ends: whoever is granted its use (`member.programme`) lets members join it. Points that are
-- earned anywhere lie in one account, and are spent anywhere; each movement stays with the front end where it happened.
create table member.programme (
    front_end text collate "C" not null,  -- whose it is
    code text collate "C" not null,
    name text not null,
    valid_days integer check (valid_days > 0),  -- after which points expire; null: never
    tiers jsonb not null,  -- from how many points earned in all which tier is had
    primary key (front_end, code)
);
select isthmus.guard('member.programme');
select isthmus.lend('member.programme', 'code');

create table member.account (
    account_id uuid primary key,
    front_end text collate "C" not null,
    programme text collate "C" not null,
    person_id uuid,  -- null: nobody is behind it any more
    points bigint not null check (points >= 0),
    earned bigint not null check (earned >= 0),  -- tiers follow what was earned everywhere
    tier text not null,
    foreign key (front_end, programme) references member.programme,
    unique (front_end, programme, person_id)
);

-- Points by when they expire, and who gave them: whoever lets them be spent has a claim on that front end.
create table member.points_lot (
    account_id uuid not null references member.account,
    lot_id uuid not null,
    issuer text collate "C" not null,
    points bigint not null check (points > 0),
    unspent bigint not null,
    expired bigint not null default 0 check (expired >= 0),
    expires_at timestamptz,
    primary key (account_id, lot_id),
    check (unspent >= 0 and unspent + expired <= points)
);
create index points_lot_open on member.points_lot (account_id, expires_at, lot_id) where unspent > 0;
create index points_lot_due on member.points_lot (expires_at) where unspent > 0 and expires_at is not null;

alter table member.membership add column account_id uuid references member.account;
create index membership_account on member.membership (account_id) where account_id is not null;
alter table member.points_movement add column account_id uuid;
create index points_movement_account on member.points_movement (account_id) where account_id is not null;

-- An account is seen by the programme's owner, and by a front end with a grant, for its own members.
grant select, update on member.account, member.points_lot to isthmus_app;
grant insert on member.points_lot to isthmus_app;
alter table member.account enable row level security;
alter table member.points_lot enable row level security;
create policy front_end on member.account to isthmus_app
    using (front_end = current_setting('isthmus.front_end', true) collate "C");
create policy as_granted on member.account to isthmus_app using (
    exists (select from member.membership one
            where one.account_id = account.account_id and one.front_end = current_setting('isthmus.front_end', true))
    and exists (select from isthmus.granted where granted.kind = 'member.programme' and granted.owner = account.front_end
                and granted.name = account.programme and granted.part = '' and granted.can = 'use'));
create policy front_end on member.points_lot to isthmus_app
    using (exists (select from member.account where account.account_id = points_lot.account_id));

-- The account of a person in a programme that the front end of this session owns or may use; made where there is none.
create function member.account_of(owner text, of_programme text, person uuid, new_id uuid) returns uuid
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
    insert into member.account (account_id, front_end, programme, person_id, points, earned, tier)
        values (new_id, owner, of_programme, person, 0, 0, '') on conflict (front_end, programme, person_id) do nothing;
    select account_id into found from member.account
        where front_end = owner and programme = of_programme and person_id = person for update;
    return found;
end $$;

-- Make one account of two, wherever their memberships are; the caller has locked both.
create function member.merge_accounts(stays uuid, goes uuid) returns void
    language plpgsql security definer set search_path = pg_catalog
as $$
begin
    if (select count(*) from member.membership
        where front_end = current_setting('isthmus.front_end', true) and account_id in (stays, goes)) < 2
    then
        raise exception 'accounts are merged with memberships' using errcode = 'insufficient_privilege';
    end if;
    perform from member.account where account_id in (stays, goes) order by account_id for update;
    update member.points_lot set account_id = stays where account_id = goes;
    update member.points_movement set account_id = stays where account_id = goes;
    update member.membership set account_id = stays where account_id = goes;
    update member.account one set points = one.points + other.points, earned = one.earned + other.earned
        from member.account other where one.account_id = stays and other.account_id = goes;
    delete from member.account where account_id = goes;
end $$;

-- Let nobody be behind an account that no active membership of any front end has any more.
create function member.leave_account(left_by uuid) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    update member.account set person_id = null where account_id = left_by
        and not exists (select from member.membership where account_id = left_by and state = 'active');
end;
revoke execute on function member.account_of(text, text, uuid, uuid), member.merge_accounts(uuid, uuid),
    member.leave_account(uuid) from public;
grant execute on function member.account_of(text, text, uuid, uuid), member.merge_accounts(uuid, uuid),
    member.leave_account(uuid) to isthmus_app;
