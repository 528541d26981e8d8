-- An address that is kept encrypted under the person's key: `address` is null then, and it is found by its keyed hash.
alter table account.account add column sealed bytea, add column address_hash bytea;
-- contract: the code before writes none, and each that is written is of one address
create unique index on account.account (address_hash);

-- As before, by keyed hashes too.
create function account.forget(addresses text[], hashes bytea[]) returns void
    language sql security definer set search_path = ''
as $$
    insert into account.notice (session_id, account_id, client)
    select distinct f.session_id, a.account_id, f.client
    from account.account a join account.session s using (account_id) join account.family f using (session_id)
    where a.address = any(addresses) or a.address_hash = any(hashes) on conflict do nothing;
    delete from account.link where address = any(addresses);
    delete from account.account where address = any(addresses) or address_hash = any(hashes);
$$;
create function account.known(addresses text[], hashes bytea[]) returns setof uuid
    language sql security definer stable set search_path = ''
as $$
    select account_id from account.account where address = any(addresses) or address_hash = any(hashes);
$$;
