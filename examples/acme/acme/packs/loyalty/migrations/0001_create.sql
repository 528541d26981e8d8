create table loyalty.card (
    front_end text not null,
    card text not null,
    stamps integer not null check (stamps between 0 and 9),
    filled integer not null check (filled >= 0),
    stamped_at timestamptz not null,
    primary key (front_end, card)
);
select isthmus.guard('loyalty.card');  -- row-level security: each front end sees its own rows only

-- What was stamped for which purchase, so that none is stamped twice.
create table loyalty.stamp (
    front_end text not null,
    reference text not null,
    card text not null,
    stamps integer not null check (stamps between 0 and 100),
    stamped_at timestamptz not null,
    primary key (front_end, reference),
    foreign key (front_end, card) references loyalty.card
);
select isthmus.guard('loyalty.stamp');
