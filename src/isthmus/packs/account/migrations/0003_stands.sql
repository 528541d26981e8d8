-- Whether somebody is still signed in by a session, for a call of another pack: what is bound to it ends with it.
create function account.stands(wanted text) returns boolean
    language sql security definer stable set search_path = ''
as $$
    select exists (select from account.session where session_id::text = wanted and ends_at > now());
$$;
