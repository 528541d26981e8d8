-- Points that are gone from lots, told to who gave them: they lapsed, or another front end took them. Whoever finds that
-- writes it; the front end that gave them takes it, once, and owes them no more. What is here is not told yet.
create table member.points_gone (
    gone_id bigint generated always as identity primary key,
    front_end text collate "C" not null,  -- who gave them
    programme text collate "C" not null,
    account_id uuid not null,
    lot_id uuid not null,
    why text not null check (why in ('lapsed', 'spent')),
    points bigint not null check (points > 0),
    at timestamptz not null default now()
);
create index points_gone_of on member.points_gone (front_end, gone_id);
select isthmus.guard('member.points_gone');
revoke update on member.points_gone from isthmus_app;
-- Who sees a lot says to its issuer, and to nobody else, that points of it are gone.
create policy found_elsewhere on member.points_gone for insert to isthmus_app
    with check (exists (
        select from member.points_lot lot
        where lot.account_id = points_gone.account_id and lot.lot_id = points_gone.lot_id
            and lot.issuer = points_gone.front_end and lot.points >= points_gone.points));
