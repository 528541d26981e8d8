-- What tax services said, by the hash of what they were asked: no goods, no address.
create table tax.assessment (
    front_end text not null,
    digest bytea not null,
    asked_at timestamptz not null,
    service text not null,
    answer bytea not null,  -- JSON, as it is read again
    primary key (front_end, digest, asked_at)
);
select isthmus.guard('tax.assessment');
create index on tax.assessment (front_end, asked_at);
