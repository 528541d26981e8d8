-- What the shop has to pick, until it was picked. The schema fe_fresh is the front end's own.
create table to_pick (
    order_id uuid primary key,
    number text not null,
    lines integer not null check (lines > 0),
    at timestamptz not null
);
