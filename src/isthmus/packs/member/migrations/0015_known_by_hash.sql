-- What a member is known by, kept encrypted under the member's key: `value` is `~` and its keyed hash then, so that the
-- primary key goes on holding that nobody else is known by it. The group's table keeps the hash alone. A profile is empty
-- where it is sealed. Rows so far are sealed by `isthmus security encrypt`, where a company wants that.
alter table member.identity add column sealed bytea;
alter table member.membership add column sealed_profile bytea;

-- What the person behind a membership of this session's front end lets it read of their memberships elsewhere, sealed
-- where it is kept so; whoever opens it takes the fields out of it.
create function member.said_elsewhere(of_member uuid)
    returns table (front_end text, member_id uuid, fields text[], profile jsonb, sealed_profile bytea, known jsonb)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select other.front_end, other.member_id, share.fields,
        (select coalesce(jsonb_object_agg(said.key, said.value), '{}') from jsonb_each(other.profile) as said
         where said.key = any (share.fields)),
        case when share.fields && '{given_name,family_name,language,birthday}' then other.sealed_profile end,
        (select coalesce(jsonb_agg(jsonb_build_object('kind', one.kind, 'value', one.value,
                                                      'sealed', encode(one.sealed, 'base64'))), '[]')
         from member.identity one
         where one.front_end = other.front_end and one.member_id = other.member_id and one.is_verified
             and one.kind in ('email', 'phone') and one.kind = any (share.fields))
    from member.membership mine
    join member.membership other on other.person_id = mine.person_id and other.state = 'active'
    join member.profile_share share on share.front_end = other.front_end and share.member_id = other.member_id
        and share.to_front_end = mine.front_end and share.ended_at is null
    where mine.front_end = current_setting('isthmus.front_end', true) and mine.member_id = of_member
        and mine.state = 'active'
    order by share.given_at desc, other.front_end;
end;
revoke execute on function member.said_elsewhere(uuid) from public;
grant execute on function member.said_elsewhere(uuid) to isthmus_app;
