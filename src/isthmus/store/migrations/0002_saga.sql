-- Flows in steps that are under way. `log` says by place what each step was answered; `version` counts their commits, and
-- whoever makes the next step holds the row and has seen the last. From `left_at` on whoever ran it is gone, and any
-- process goes on with it; `ask` is there for that only, and taken away when its caller was told how it ended.
create table isthmus.saga (
    digest uuid primary key,
    front_end text not null,
    key text not null,
    is_kept boolean not null,
    capability text not null,
    ask_hash text not null,
    ask bytea,
    caller bytea not null,
    version integer not null,
    log jsonb not null,
    left_at timestamptz not null,
    tries integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index saga_left on isthmus.saga (left_at) where ask is not null;
select isthmus.guard('isthmus.saga');

-- Hold a saga that is where its runner thinks, or raise IS001. 0: it has not begun, and its key has no answer; the key
-- was locked in a statement before, so that what this one sees is what was there when the lock was given.
create function isthmus.hold_saga(wanted uuid, known integer) returns void
    language plpgsql
as $$
begin
    if known > 0 then
        perform from isthmus.saga where digest = wanted and version = known for update;
        if found then
            return;
        end if;
    elsif not exists (select from isthmus.saga where digest = wanted)
        and not exists (select from isthmus.idempotency where digest = wanted)
    then
        return;
    end if;
    raise exception 'saga % is not at %', wanted, known using errcode = 'IS001';
end $$;

-- Break off a transaction whose statement, sent ahead of its checks, did not do what it was to do.
create function isthmus.expect(is_so boolean, what text) returns void
    language plpgsql
as $$
begin
    if not coalesce(is_so, false) then
        raise exception 'expected otherwise: %', what using errcode = 'check_violation', constraint = what;
    end if;
end $$;
