-- What a member lets another front end read of what they said here, and since when: their consent, with its history.
create table member.profile_share (
    front_end text collate "C" not null,
    share_id uuid not null,
    member_id uuid not null,
    to_front_end text collate "C" not null check (to_front_end <> front_end),
    fields text[] not null check (fields <> '{}'),
    given_at timestamptz not null,
    given_by text not null,
    ended_at timestamptz,
    primary key (front_end, share_id),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
select isthmus.guard('member.profile_share');
create unique index one_share_a_reader on member.profile_share (front_end, member_id, to_front_end) where ended_at is null;
create index profile_share_of on member.profile_share (front_end, member_id, given_at);

-- What the person behind a membership of this session's front end lets it read of their memberships elsewhere, and no more.
create function member.profile_elsewhere(of_member uuid)
    returns table (front_end text, fields text[], profile jsonb, email text, phone text)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select other.front_end, share.fields,
        (select coalesce(jsonb_object_agg(said.key, said.value), '{}') from jsonb_each(other.profile) as said
         where said.key = any (share.fields)),
        (select value from member.identity one
         where one.front_end = other.front_end and one.member_id = other.member_id and kind = 'email' and is_verified
             and 'email' = any (share.fields) order by value limit 1),
        (select value from member.identity one
         where one.front_end = other.front_end and one.member_id = other.member_id and kind = 'phone' and is_verified
             and 'phone' = any (share.fields) order by value limit 1)
    from member.membership mine
    join member.membership other on other.person_id = mine.person_id and other.state = 'active'
    join member.profile_share share on share.front_end = other.front_end and share.member_id = other.member_id
        and share.to_front_end = mine.front_end and share.ended_at is null
    where mine.front_end = current_setting('isthmus.front_end', true) and mine.member_id = of_member
        and mine.state = 'active'
    order by share.given_at desc, other.front_end;
end;
revoke execute on function member.profile_elsewhere(uuid) from public;
grant execute on function member.profile_elsewhere(uuid) to isthmus_app;
