-- What a member consented to and took back, purpose by purpose: a row for each change, whoever makes it.
create table member.consent_change (
    front_end text not null,
    member_id uuid not null,
    number bigint generated always as identity,
    purpose text not null,
    is_given boolean not null,
    at timestamptz not null default now(),
    primary key (front_end, member_id, number),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
select isthmus.guard('member.consent_change');
revoke update on member.consent_change from isthmus_app;

create function member.note_consents() returns trigger language plpgsql set search_path = '' as $$
begin
    insert into member.consent_change (front_end, member_id, purpose, is_given)
    select new.front_end, new.member_id, purpose, purpose = any (new.consents)
    from (select pg_catalog.unnest(new.consents) as purpose union select pg_catalog.unnest(old.consents)) one
    where (purpose = any (new.consents)) is distinct from (purpose = any (coalesce(old.consents, '{}')))
    order by purpose;
    return null;
end $$;
create trigger note_consents_given after insert on member.membership
    for each row when (new.state = 'active' and new.consents <> '{}') execute function member.note_consents();
create trigger note_consents_changed after update of consents on member.membership
    for each row when (new.state = 'active' and new.consents is distinct from old.consents)
    execute function member.note_consents();
