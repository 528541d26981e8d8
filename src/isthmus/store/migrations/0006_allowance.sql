-- What is used of each minute's calls, by all servers: of a key, an address or a person. Lost in a crash, which forgives a minute.
create unlogged table isthmus.allowance (
    kind text not null,
    who text collate "C" not null,
    began timestamptz not null,
    used integer not null,
    granted integer not null,
    primary key (kind, who)
);
create index on isthmus.allowance (began);

-- Take as many of a minute's calls as are wanted and left. ends_s: in how many seconds there are new ones.
create function isthmus.lease_calls(kind text, who text, wanted integer, most integer)
    returns table (granted integer, ends_s double precision)
    language sql set search_path = pg_catalog
begin atomic
    insert into isthmus.allowance as kept (kind, who, began, used, granted)
    values (lease_calls.kind, lease_calls.who, clock_timestamp(), least(wanted, most), least(wanted, most))
    on conflict (kind, who) do update set
        began = case when kept.began <= clock_timestamp() - interval '1 minute' then clock_timestamp() else kept.began end,
        used = case when kept.began <= clock_timestamp() - interval '1 minute' then least(wanted, most)
            else least(kept.used + wanted, greatest(most, kept.used)) end,
        granted = case when kept.began <= clock_timestamp() - interval '1 minute' then least(wanted, most)
            else least(kept.used + wanted, greatest(most, kept.used)) - kept.used end
    returning kept.granted, extract(epoch from kept.began + interval '1 minute' - clock_timestamp())::double precision;
end;
