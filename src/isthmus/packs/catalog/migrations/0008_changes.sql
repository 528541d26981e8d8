-- Changes to products of the group that wait for somebody else to approve them. None is deleted: they are the history of
-- what was proposed, by whom, and who answered what.
create table catalog.change (
    change_id uuid primary key,
    code text not null,  -- of the product
    base_version integer not null check (base_version >= 0),  -- that the change was proposed to; 0: a new product
    draft jsonb not null,
    because text not null,
    proposed_at timestamptz not null,
    proposed_by text not null,
    proposed_in text not null,
    state text not null default 'open' check (state in ('open', 'approved', 'refused', 'withdrawn')),
    decided_at timestamptz,
    decided_by text,
    answer text not null default '',
    version integer,  -- that it has become
    check ((state = 'open') = (decided_at is null)),
    check ((state = 'open') = (decided_by is null)),
    check ((state = 'approved') = (version is not null)),
    check (state <> 'approved' or version = base_version + 1),
    check (state not in ('approved', 'refused') or decided_by <> proposed_by)
);
select isthmus.share('catalog.change');
revoke delete on catalog.change from isthmus_app;
create index change_in_order on catalog.change (proposed_at, change_id);
create index change_of_product on catalog.change (code, proposed_at, change_id);
create index change_open on catalog.change (proposed_at, change_id) where state = 'open';
