-- Where else the person behind a membership of this session's front end takes part in the same programme: joining it is
-- their consent. Their orders there are shown to them by those who are granted to.
create function member.joined(of_member uuid) returns table (front_end text, member_id uuid)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select other.front_end, other.member_id
    from member.membership mine join member.membership other on other.account_id = mine.account_id
    where mine.front_end = current_setting('isthmus.front_end', true) and mine.member_id = of_member
        and mine.state = 'active' and other.state = 'active'
        and (other.front_end, other.member_id) <> (mine.front_end, mine.member_id);
end;
revoke execute on function member.joined(uuid) from public;
grant execute on function member.joined(uuid) to isthmus_app;
