-- Claim a key for this transaction, or raise IS001 where it has an answer. Of two at once the second waits for the lock
-- until the first has ended, and then sees its answer: each statement in here sees what is committed when it starts.
create function isthmus.claim_key(wanted uuid, its_front_end text, its_lock bigint) returns void
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(its_lock);
    if exists (select from isthmus.idempotency where digest = wanted and front_end = its_front_end) then
        raise exception 'key % is answered', wanted using errcode = 'IS001';
    end if;
end $$;
