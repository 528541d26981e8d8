-- What rate services said, by the hash of what they were asked: no goods, no address.
create table fulfilment.rate_answer (
    front_end text not null,
    digest bytea not null,
    asked_at timestamptz not null,
    service text not null,
    answer bytea not null,  -- JSON, as it is read again
    primary key (front_end, digest, asked_at)
);
select isthmus.guard('fulfilment.rate_answer');
create index on fulfilment.rate_answer (front_end, asked_at);
