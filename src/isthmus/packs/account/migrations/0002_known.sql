-- Which accounts addresses have, for a call that forgets persons: what others keep is named by them.
create function account.known(addresses text[]) returns setof uuid
    language sql security definer stable set search_path = ''
as $$
    select account_id from account.account where address = any(addresses);
$$;

-- Which of some texts are no accounts that signed in at a client: consent is given there once, and stays.
create function account.not_of_client(wanted text, accounts text[]) returns setof text
    language sql security definer stable set search_path = ''
as $$
    select distinct id from unnest(accounts) as id
    where not exists (
        select from account.consent c where c.client = wanted and c.account_id::text = id);
$$;
