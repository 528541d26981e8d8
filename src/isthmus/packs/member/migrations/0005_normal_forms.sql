-- Identities are compared in one form: composed, without spaces around them, e-mail without case and width. Where two
-- members are known by what turns out to be one, the verified and then the first keeps it; the doctor names the other.
create function member.normal(kind text, value text) returns text language sql immutable parallel safe
return case when kind = 'email'
    then btrim(replace(replace(lower(normalize(value, nfkc)), 'ß', 'ss'), 'ς', 'σ'))
    else btrim(normalize(value, nfc)) end;

update member.identity set value = wanted.normal
from (
    select one.front_end, one.kind, one.value, member.normal(one.kind, one.value) as normal,
        row_number() over (partition by front_end, kind, member.normal(kind, value)
            order by is_verified desc, value = member.normal(kind, value) desc, value) as place
    from member.identity one
) as wanted
where identity.front_end = wanted.front_end and identity.kind = wanted.kind and identity.value = wanted.value
    and wanted.place = 1 and wanted.normal <> wanted.value and not exists (
        select from member.identity other
        where other.front_end = wanted.front_end and other.kind = wanted.kind and other.value = wanted.normal);

update member.person_identity set value = wanted.normal
from (
    select one.kind, one.value, member.normal(one.kind, one.value) as normal,
        row_number() over (partition by kind, member.normal(kind, value)
            order by value = member.normal(kind, value) desc, value) as place
    from member.person_identity one
) as wanted
where person_identity.kind = wanted.kind and person_identity.value = wanted.value
    and wanted.place = 1 and wanted.normal <> wanted.value and not exists (
        select from member.person_identity other where other.kind = wanted.kind and other.value = wanted.normal);

update member.membership set profile = normalize(profile::text, nfc)::jsonb where profile::text is not nfc normalized;
